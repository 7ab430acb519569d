import Checkpoints
import Foundation
import Testing

/// A safetensors file made by hand: any text as its header, any bytes as its data.
func rawFile(_ header: String, data: [UInt8] = []) -> Data {
  var file = Data()
  withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { file.append(contentsOf: $0) }
  return file + Data(header.utf8) + Data(data)
}

/// Writes the bytes of a file into a folder, and gives its path.
@discardableResult
func put(_ file: Data, _ name: String = "model.safetensors", in folder: String) throws -> String {
  let path = "\(folder)/\(name)"
  try file.write(to: URL(fileURLWithPath: path))
  return path
}

/// The names in a folder, sorted.
func members(of folder: String) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
}

/// Something that goes wrong while a checkpoint is written.
struct Interruption: Error {}
