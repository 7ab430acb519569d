import Foundation

/// An error planted in the kernels: the checks have to find it.
struct Mutation: Sendable, CustomStringConvertible {
  /// Below Sources/CKernels.
  let file: String
  /// Stands in the file exactly once.
  let text: String
  let replacement: String
  /// What is wrong then.
  let mistake: String
  /// In vectors of fewer lanes it changes nothing.
  let leastLanes: Int

  init(_ file: String, _ text: String, _ replacement: String, _ mistake: String, leastLanes: Int = 4) {
    self.file = "kernels/\(file)"
    self.text = text
    self.replacement = replacement
    self.mistake = mistake
    self.leastLanes = leastLanes
  }

  var description: String { "\(file): \(mistake)" }

  /// The file with the error in it.
  ///
  /// - Throws: `MutantProblem` if the text does not stand there exactly once.
  func planted(in contents: String) throws -> String {
    let parts = contents.components(separatedBy: text)
    guard parts.count == 2 else {
      throw MutantProblem("\(self): its text stands there \(parts.count - 1) times, not once: \(text)")
    }
    return parts.joined(separator: replacement)
  }

  /// Every one of them. None leaves the memory that it may read by more than the fences of the checks.
  static let all = ofProducts + ofStreams + ofRows + ofFunctions + ofAttention + ofIndexer + ofPackedWeights

  /// Twelve for every day, from all of the files.
  static let sample = stride(from: 2, to: all.count, by: all.count / 12).prefix(12).map { all[$0] }
}
