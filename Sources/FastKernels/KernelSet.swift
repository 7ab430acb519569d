import CKernels
import Tensors

/// The kernels of one instruction set on some threads: what the fast steps are made of.
///
/// Every kernel has a reference step whose result it gives within roundoff, with NaN and infinity in the same places.
public struct KernelSet: Equatable, Sendable, CustomStringConvertible {
  public let instructionSet: InstructionSet
  public let workers: Workers

  /// - Parameters:
  ///   - instructionSet: the best one of the machine unless there is a reason for another
  ///   - threads: nil for all cores
  /// - Throws: `InputError` for less than 1 thread.
  public init(_ instructionSet: InstructionSet = .best, threads: Int? = nil) throws(InputError) {
    self.instructionSet = instructionSet
    workers = try Workers(threads: threads)
  }

  public var description: String {
    "(\(instructionSet), \(workers.threads) thread\(workers.threads == 1 ? "" : "s"))"
  }

  var kernels: v4_kernels { instructionSet.kernels.pointee }
}

/// Memory that threads write to, each to a part of its own.
struct Output: @unchecked Sendable {
  let start: UnsafeMutablePointer<Float>

  static func + (output: Output, offset: Int) -> UnsafeMutablePointer<Float> { output.start + offset }
}

/// Memory that threads read.
struct Input: @unchecked Sendable {
  let start: UnsafePointer<Float>

  static func + (input: Input, offset: Int) -> UnsafePointer<Float> { input.start + offset }
}

extension Tensor where Element == Float {
  /// A tensor whose elements a body writes, every one of them.
  static func written(_ shape: [Int], by body: (Output) -> Void) -> Tensor {
    let count = shape.reduce(1, *)
    let elements = [Float](unsafeUninitializedCapacity: count) { buffer, written in
      if let start = buffer.baseAddress, count > 0 {
        v4_expect_large(start, Int64(count * MemoryLayout<Float>.size))
        body(Output(start: start))
      }
      written = count
    }
    return Tensor(filling: shape, elements)
  }

  /// Where the elements lie, for as long as a body runs.
  func read<Result>(_ body: (Input) -> Result) -> Result {
    var nothing: Float = 0
    return elements.withUnsafeBufferPointer { buffer in
      // An empty tensor has no address, and nobody reads it.
      buffer.baseAddress.map { body(Input(start: $0)) } ?? withUnsafePointer(to: &nothing) { body(Input(start: $0)) }
    }
  }
}

/// Calls a body with scratch memory for kernels, aligned to a vector.
func withScratch(_ floats: Int64, _ body: (UnsafeMutablePointer<Float>) -> Void) {
  let bytes = max(Int(floats), 1) * MemoryLayout<Float>.size
  let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
  v4_expect_large(memory, Int64(bytes))
  defer { memory.deallocate() }
  body(memory.bindMemory(to: Float.self, capacity: max(Int(floats), 1)))
}

/// The tensor of a generic step as float32, if that is what its path computes in.
func floats<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Tensor<Float>? {
  Scalar.self == Float.self ? unsafeBitCast(x, to: Tensor<Float>.self) : nil
}

/// The way back.
///
/// - Precondition: Scalar is Float.
func generic<Scalar: RealScalar>(_ x: Tensor<Float>) -> Tensor<Scalar> {
  precondition(Scalar.self == Float.self)
  return unsafeBitCast(x, to: Tensor<Scalar>.self)
}

extension KernelSet {
  /// `linear` of either path.
  func genericLinear<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, _ weight: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    guard let x32 = floats(x), let weight32 = floats(weight) else { return try Tensors.linear(x, weight) }
    return generic(try linear(x32, weight32))
  }

  /// `rmsNorm` of either path.
  func genericNorm<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, weight: Tensor<Scalar>?, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    guard let x32 = floats(x) else { return try Tensors.rmsNorm(x, weight: weight, epsilon: epsilon) }
    return generic(try rmsNorm(x32, weight: weight.flatMap { floats($0) }, epsilon: Float(epsilon)))
  }
}
