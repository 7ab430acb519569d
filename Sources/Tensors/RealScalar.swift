#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The scalar type of a whole computation: `Float` for the path that engines compare with, `Double` for truth.
///
/// Everything else in this package is generic over it, so both paths are one text.
public protocol RealScalar: BinaryFloatingPoint, SIMDScalar, Codable, LosslessStringConvertible, Sendable {
  /// eˣ.
  static func exponential(_ x: Self) -> Self
  /// log(1 + x), accurate for small x.
  static func logarithmOfOnePlus(_ x: Self) -> Self
  /// The name of the path that computes in this type: `float` or `double`.
  static var pathName: String { get }
}

extension Float: RealScalar {
  public static func exponential(_ x: Float) -> Float { exp(x) }
  public static func logarithmOfOnePlus(_ x: Float) -> Float { log1p(x) }
  public static var pathName: String { "float" }
}

extension Double: RealScalar {
  public static func exponential(_ x: Double) -> Double { exp(x) }
  public static func logarithmOfOnePlus(_ x: Double) -> Double { log1p(x) }
  public static var pathName: String { "double" }
}
