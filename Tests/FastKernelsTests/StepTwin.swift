import FastKernels
import Tensors

/// A step that has a fast twin: what both make of the same inputs, and how far roundoff may carry the fast one.
protocol StepTwin: Sendable {
  var name: String { get }

  /// The reference step.
  func reference<Scalar: RealScalar>(_ inputs: [Tensor<Scalar>]) throws -> Tensor<Scalar>

  func fast(_ kernels: KernelSet, _ inputs: [Tensor<Float>]) throws -> Tensor<Float>

  /// For each element the largest error that the roundings of float32 can add up to, in whatever order they come.
  ///
  /// - Parameters:
  ///   - inputs: in Double
  ///   - exact: what the reference step makes of them
  func bound(_ inputs: [Tensor<Double>], exact: Tensor<Double>) throws -> Tensor<Double>
}

/// The relative error of one rounding to float32, at most.
let unitRoundoff = 0x1p-24

/// A step with inputs.
struct TwinCase: Sendable {
  let twin: any StepTwin
  let inputs: [Tensor<Float>]

  init(_ twin: any StepTwin, _ inputs: Tensor<Float>...) {
    self.twin = twin
    self.inputs = inputs
  }

  var description: String { "\(twin.name) of \(inputs.map { "\($0.shape)" }.joined(separator: ", "))" }

  func fast(_ kernels: KernelSet) throws -> Tensor<Float> { try twin.fast(kernels, inputs) }
}

/// A case with what the reference step makes of it in Double.
struct JudgedCase: Sendable {
  let twinCase: TwinCase
  private let exact: Tensor<Double>
  private let bound: Tensor<Double>

  init(_ twinCase: TwinCase) throws {
    self.twinCase = twinCase
    let inputs = twinCase.inputs.map { input in input.map { Double($0) } }
    exact = try twinCase.twin.reference(inputs)
    bound = try twinCase.twin.bound(inputs, exact: exact)
    try bound.requireShape(exact.shape, "bound", in: twinCase.description)
  }

  /// The largest error, in bounds: above 1 it is none of roundoff.
  func error(of got: Tensor<Float>) -> Double {
    guard got.shape == exact.shape else { return .infinity }
    var largest = 0.0
    got.elements.withUnsafeBufferPointer { got in
      exact.elements.withUnsafeBufferPointer { exact in
        bound.elements.withUnsafeBufferPointer { bound in
          for index in got.indices {
            let value = Double(got[index])
            if value == exact[index] { continue }
            // One unit of denormal numbers for what underflows. Not a number is no error of any size.
            let error = abs(value - exact[index]) / (bound[index] + 0x1p-149)
            largest = error <= largest ? largest : error.isNaN ? .infinity : error
          }
        }
      }
    }
    return largest
  }

  /// What is wrong with the fast step; nil if nothing is.
  func failure(of kernels: KernelSet) throws -> String? {
    let error = try error(of: twinCase.fast(kernels))
    return error <= 1 ? nil : "\(twinCase.description): \(error) times what roundoff can do"
  }
}

extension Tensor where Element == Double {
  var magnitudes: Tensor { map { abs($0) } }
  var largestMagnitude: Double { elements.reduce(0) { max($0, abs($1)) } }
}
