/// What a list of tensors may cost in memory: as many bytes as its file has on disk, and 8 MiB.
///
/// Each entry is charged generously for its name, its shape and its places in an array, a dictionary and a sorted copy.
/// A real file holds far more data than that. A hostile one could otherwise turn 50 bytes of JSON into 500 of memory.
struct MemoryAllowance {
  private var left: Int

  init(forBytes bytes: Int) { left = bytes + (8 << 20) }

  /// False if nothing is left.
  mutating func spend(on name: String, rank: Int = 0) -> Bool {
    left -= 512 + 2 * name.utf8.count + 16 * rank
    return left >= 0
  }
}
