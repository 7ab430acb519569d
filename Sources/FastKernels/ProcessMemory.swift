import CKernels

/// How this process handles memory.
public enum ProcessMemory {
  /// Keeps memory that is freed for what is allocated next, instead of giving it back to the system.
  ///
  /// Every tensor of a fast step is new memory. If the system has to clear its pages each time, that takes longer than
  /// the kernel that writes to it. For executables that run fast kernels, once at their start: it concerns the whole
  /// process, so no library does it on its own. Without effect where the C library is not glibc.
  public static func keepFreed() { v4_keep_memory() }
}
