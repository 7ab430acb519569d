/// Floats with a fence on either side, at any distance from a cache line. Fence and content begin as NaN of bits that no
/// kernel makes: what was read beyond the inputs shows up in the output, and what was not written stays.
final class GuardedMemory {
  static let fence = UInt32(0x7FD5_A5A5)
  static let poison = UInt32(0x7FCA_BCDE)
  private static let fenceLength = 256

  private let memory: UnsafeMutableRawPointer
  private let words: UnsafeMutablePointer<UInt32>
  private let offset: Int
  let count: Int

  /// - Parameters:
  ///   - count: floats
  ///   - misplaced: how many floats after a cache line they begin
  ///   - content: what they are; nil for poison
  init(count: Int, misplaced: Int, content: [Float]? = nil) {
    let total = count + 2 * Self.fenceLength + misplaced
    memory = .allocate(byteCount: 4 * total, alignment: 64)
    words = memory.bindMemory(to: UInt32.self, capacity: total)
    words.initialize(repeating: Self.fence, count: total)
    offset = Self.fenceLength + misplaced
    self.count = count
    for index in 0..<count { words[offset + index] = content?[index].bitPattern ?? Self.poison }
  }

  deinit { memory.deallocate() }

  var start: UnsafeMutablePointer<Float> {
    UnsafeMutableRawPointer(words + offset).assumingMemoryBound(to: Float.self)
  }

  /// The bits as they are now.
  var bits: [UInt32] { (0..<count).map { words[offset + $0] } }

  /// Whether nothing was written before or after the content.
  var fencesStand: Bool {
    (0..<offset).allSatisfy { words[$0] == Self.fence }
      && (0..<Self.fenceLength).allSatisfy { words[offset + count + $0] == Self.fence }
  }
}
