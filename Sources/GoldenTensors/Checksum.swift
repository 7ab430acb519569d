import Foundation

#if canImport(CryptoKit)
  import CryptoKit
#else
  import CLibCrypto
#endif

/// The SHA-256 of some bytes, in lower-case hexadecimal.
public func sha256(_ data: Data) -> String {
  #if canImport(CryptoKit)
    let digest = Array(SHA256.hash(data: data))
  #else
    var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
    data.withUnsafeBytes { bytes in
      _ = SHA256(bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count, &digest)
    }
  #endif
  return digest.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
}
