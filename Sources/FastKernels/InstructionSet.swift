import CKernels

/// An instruction set that the kernels were compiled for and this machine can run.
///
/// | name | vectors | machines |
/// | --- | --- | --- |
/// | `avx512` | 16 floats | x86-64 with AVX-512 F, BW, DQ and VL |
/// | `avx2` | 8 floats | x86-64 with AVX2 and FMA |
/// | `portable` | 4 floats | every other: SSE2, NEON |
///
/// Each sums in an order of its own, so that results of two of them differ by roundoff.
public struct InstructionSet: @unchecked Sendable, Equatable, CustomStringConvertible {
  /// The functions in C: constants of the program.
  let kernels: UnsafePointer<v4_kernels>

  /// Those of this machine, the best one first; at least `portable`.
  public static let available: [InstructionSet] = (0..<v4_kernels_count()).compactMap { index in
    v4_kernels_at(index).map { InstructionSet(kernels: $0) }
  }

  /// The one that is used unless another one is asked for.
  public static var best: InstructionSet { available[0] }

  /// As in the table.
  public var name: String { String(cString: kernels.pointee.name) }

  /// Floats in a vector.
  var lanes: Int { Int(kernels.pointee.lanes) }

  public var description: String { name }
}
