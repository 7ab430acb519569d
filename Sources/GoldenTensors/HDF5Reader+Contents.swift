import CHDF5
import Tensors

extension HDF5Reader {
  /// What a file may hold at most before it is called damaged; hard links can make a small file look endless.
  private static let mostObjects = 1_000_000
  private static let deepest = 16

  /// Every dataset and every group below the root, as paths without a leading `/`, sorted.
  ///
  /// - Throws: `GoldenError` if the file is damaged, goes in circles, or has soft or external links.
  public func contents() throws -> (datasets: [String], groups: [String]) {
    try HDF5.locked {
      var datasets: [String] = []
      var groups: [String] = []
      var open = ["/"]
      while let group = open.popLast() {
        for member in try members(of: group) ?? [] {
          let path = group == "/" ? member : "\(group)/\(member)"
          guard datasets.count + groups.count < Self.mostObjects, path.count(where: { $0 == "/" }) < Self.deepest else {
            throw GoldenError(name, "holds more objects than it should, or goes in circles, at \(path)")
          }
          if try isGroup(path) {
            groups.append(path)
            open.append(path)
          } else {
            datasets.append(path)
          }
        }
      }
      return (datasets.sorted(), groups.sorted())
    }
  }

  private func isGroup(_ path: String) throws -> Bool {
    guard try exists(path) else { throw GoldenError(name, "there is no \(path)") }
    let object = try Identifier(
      H5Oopen(file.id, path, chdf5_default()), close: H5Oclose, name, "cannot open \(path)")
    return H5Iget_type(object.id) == H5I_GROUP
  }
}

/// All of a dataset, or a range of its first axis.
struct DatasetPart {
  let dataset: Identifier
  let path: String
  /// Of the part.
  let shape: [Int]
  /// What is selected in the file, and the space it takes in memory; nil for all.
  let selected: Identifier?
  let memory: Identifier?

  /// - Throws: `GoldenError` if the dataset has no such rows.
  init(_ dataset: Identifier, shape: [Int], rows: Range<Int>?, _ path: String, _ file: String) throws {
    (self.dataset, self.path) = (dataset, path)
    guard let rows else {
      (self.shape, selected, memory) = (shape, nil, nil)
      return
    }
    guard let height = shape.first, rows.lowerBound >= 0, rows.upperBound <= height else {
      throw GoldenError(file, "\(path) has the shape \(shape), not the rows \(rows)")
    }
    self.shape = [rows.count] + shape.dropFirst()
    let lengths = self.shape.map { hsize_t($0) }
    let start = [hsize_t(rows.lowerBound)] + Array(repeating: 0, count: shape.count - 1)
    let space = try Identifier(H5Dget_space(dataset.id), close: H5Sclose, file, "cannot read the shape of \(path)")
    guard H5Sselect_hyperslab(space.id, H5S_SELECT_SET, start, nil, lengths, nil) >= 0 else {
      throw HDF5.failure(file, "cannot select the rows \(rows) of \(path)")
    }
    selected = space
    memory = try Identifier(
      H5Screate_simple(Int32(lengths.count), lengths, nil), close: H5Sclose, file, "cannot select rows of \(path)")
  }
}
