/// How many bytes an entry of the key-value cache takes.
///
/// | | V4 entry (512 + 0) | V4 index key (128) | V3.2 entry (512 + 64) | V3.2 index key (128) |
/// | --- | --- | --- | --- | --- |
/// | `serving` | 448 + 2 · 64 + 7 + 1 = 584 | 64 + 4 = 68 | 512 + 2 · 64 + 4 · 4 = 656 | 128 + 4 = 132 |
/// | `without-scales` | 576 | 64 | 640 | 128 |
/// | `bf16` | 1024 | 256 | 1152 | 256 |
public enum CacheFormat: String, CaseIterable, Sendable {
  /// As FlashMLA lays it out: FP8 with scales, rotated channels in BF16; index keys in FP4 (V3.2: FP8) with scales.
  case serving
  /// The same codes without scales and padding.
  case withoutScales = "without-scales"
  /// Every channel in BF16.
  case bfloat16 = "bf16"
}

/// ⌈count / size⌉: how many blocks of a size hold a count of channels.
func blocks(of size: Int, in count: Int) -> Int { (count + size - 1) / size }
