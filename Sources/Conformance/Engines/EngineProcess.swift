import Foundation

/// A running engine: its process group, and the three pipes to it.
///
/// Nothing here waits longer than it is told to, whatever the engine does with its pipes.
final class EngineProcess: @unchecked Sendable {
  /// How much of standard error is kept, in bytes.
  private static let errorsKept = 4_096

  /// Of the shell that runs the command, and of its process group.
  private let pid: pid_t
  private let input, output, errors: CInt
  private var inputIsOpen = true
  private var received = Data()
  private var lastErrors = Data()
  private var outputEnded = false
  private var errorsEnded = false
  private let lock = NSLock()
  private var reaped = false

  /// Starts a command in a process group of its own.
  ///
  /// - Throws: `EngineFault` if it cannot be started.
  init(command: String) throws {
    // An engine that has closed its input must not end this process.
    signal(SIGPIPE, SIG_IGN)
    let (input, output, errors) = (try PipeEnds(), try PipeEnds(), try PipeEnds())
    pid = try spawn(command, input: input.reading, output: output.writing, errors: errors.writing)
    for end in [input.reading, output.writing, errors.writing] { close(end) }
    (self.input, self.output, self.errors) = (input.writing, output.reading, errors.reading)
    for end in [self.input, self.output, self.errors] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
  }

  deinit {
    kill()
    closeInput()
    for end in [output, errors] { close(end) }
  }

  /// Says that nothing more will be sent.
  func closeInput() {
    if inputIsOpen { close(input) }
    inputIsOpen = false
  }

  /// Sends a line.
  ///
  /// - Throws: `EngineFault` if the engine has ended or does not read until the deadline.
  func send(_ line: Data, until deadline: ContinuousClock.Instant) throws {
    var rest = line
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN || errno == EINTR {
        guard wait(for: .writing, until: deadline) else { throw EngineFault("it did not read its input in time") }
      } else {
        throw EngineFault(ending())
      }
    }
  }

  /// The next line of standard output, without its newline.
  ///
  /// - Throws: `EngineFault` if there is none until the deadline, or one that is too long, or the engine has ended.
  func readLine(until deadline: ContinuousClock.Instant) throws -> Data {
    while true {
      if let line = takeLine() { return line }
      guard received.count <= EngineMessage.longestLine else {
        throw EngineFault("it wrote a line of more than \(EngineMessage.longestLine) bytes")
      }
      guard !outputEnded else { throw EngineFault(ending()) }
      guard wait(for: .reading, until: deadline) else { throw EngineFault("it did not answer in time") }
    }
  }

  /// What the engine wrote before it was asked anything; nil if nothing. It is then forgotten.
  func takeUnasked() -> Data? {
    _ = wait(for: .reading, until: .now)
    defer { received = Data() }
    return received.isEmpty ? nil : received
  }

  /// The last lines of standard error.
  var lastWords: String? {
    _ = wait(for: .reading, until: .now)
    let text = String(decoding: lastErrors, as: UTF8.self).split(separator: "\n").suffix(3).joined(separator: " | ")
    return text.isEmpty ? nil : plain(text)
  }

  /// Waits until the engine has ended by itself.
  ///
  /// - Returns: how, in words, and whether that was with exit code 0; nil if it still runs at the deadline
  func waitForEnd(until deadline: ContinuousClock.Instant) -> (words: String, isClean: Bool)? {
    while true {
      if let end = end() { return end }
      guard ContinuousClock.now < deadline else { return nil }
      _ = wait(for: .reading, until: min(deadline, .now + .milliseconds(5)))
      usleep(1_000)
    }
  }

  /// Ends the whole process group, at once. May be called from any thread, and again.
  func kill() {
    lock.lock()
    defer { lock.unlock() }
    guard !reaped else { return }
    // The leader is waited for only afterwards, so its number cannot belong to anybody else yet.
    _ = Foundation.kill(-pid, SIGKILL)
    while waitpid(pid, nil, 0) < 0, errno == EINTR {}
    reaped = true
  }

  /// How the leader ended, if it has; it stays to be waited for.
  private func end() -> (words: String, isClean: Bool)? {
    var info = siginfo_t()
    guard waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0, info.si_signo != 0 else { return nil }
    let status = exitStatus(info)
    return info.si_code == CInt(CLD_EXITED)
      ? ("it ended with exit code \(status)", status == 0) : ("it was ended by signal \(status)", false)
  }

  /// Why there is no more to be had from it.
  private func ending() -> String {
    waitForEnd(until: .now + .seconds(1))?.words ?? "it closed its standard input or output"
  }

  private func takeLine() -> Data? {
    guard let newline = received.firstIndex(of: 0x0A) else { return nil }
    defer { received = Data(received[(newline + 1)...]) }
    return Data(received[..<newline])
  }

  private enum Direction { case reading, writing }

  /// Takes in what the engine has written, and waits until there is more of it or it takes more.
  ///
  /// - Returns: false if the deadline came first
  private func wait(for direction: Direction, until deadline: ContinuousClock.Instant) -> Bool {
    while true {
      let left = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
      var ends = [
        pollfd(fd: outputEnded ? -1 : output, events: Int16(POLLIN), revents: 0),
        pollfd(fd: errorsEnded ? -1 : errors, events: Int16(POLLIN), revents: 0),
        pollfd(fd: direction == .writing ? input : -1, events: Int16(POLLOUT), revents: 0),
      ]
      guard poll(&ends, nfds_t(ends.count), CInt(min(max(left.rounded(.up), 0), 1e6))) > 0 else {
        if left > 0 { continue }
        return false
      }
      if ends[1].revents != 0 { errorsEnded = !drain(errors, into: &lastErrors, keeping: Self.errorsKept) }
      if ends[0].revents != 0 {
        outputEnded = !drain(output, into: &received, keeping: nil)
        if direction == .reading { return true }
      }
      if ends[2].revents != 0 { return true }
      if left <= 0 { return false }
    }
  }

  /// Reads what there is, up to a limit that keeps lines from growing without end.
  ///
  /// - Returns: false at the end of the pipe
  private func drain(_ end: CInt, into data: inout Data, keeping: Int?) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = read(end, &buffer, buffer.count)
    if count > 0 { data.append(contentsOf: buffer[..<count]) }
    if let keeping, data.count > keeping { data = Data(data.suffix(keeping)) }
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR))
  }
}

/// The two ends of a pipe, closed in programs that this process starts.
private struct PipeEnds {
  let reading, writing: CInt

  init() throws {
    var ends: [CInt] = [0, 0]
    guard pipe(&ends) == 0 else { throw EngineFault("no pipe to it can be made: \(String(cString: strerror(errno)))") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    (reading, writing) = (ends[0], ends[1])
  }
}

/// Starts `/bin/sh -c command` as the leader of a new process group, with the usual effect of all signals.
private func spawn(_ command: String, input: CInt, output: CInt, errors: CInt) throws -> pid_t {
  #if canImport(Darwin)
    var actions: posix_spawn_file_actions_t?
    var attributes: posix_spawnattr_t?
  #else
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
  #endif
  posix_spawn_file_actions_init(&actions)
  posix_spawnattr_init(&attributes)
  defer {
    posix_spawn_file_actions_destroy(&actions)
    posix_spawnattr_destroy(&attributes)
  }
  for (end, number) in [(input, STDIN_FILENO), (output, STDOUT_FILENO), (errors, STDERR_FILENO)] {
    posix_spawn_file_actions_adddup2(&actions, end, number)
  }
  var signals = sigset_t()
  sigfillset(&signals)
  posix_spawnattr_setsigdefault(&attributes, &signals)
  posix_spawnattr_setpgroup(&attributes, 0)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP) | Int16(POSIX_SPAWN_SETSIGDEF))

  let words = ["/bin/sh", "-c", command]
  var arguments = words.map { word in strdup(word) } + [nil]
  defer { for argument in arguments { free(argument) } }
  var pid: pid_t = 0
  let status = posix_spawn(&pid, "/bin/sh", &actions, &attributes, &arguments, environ)
  guard status == 0 else { throw EngineFault("it cannot be started: \(String(cString: strerror(status)))") }
  return pid
}

/// The exit code or the signal in what `waitid` says.
private func exitStatus(_ info: siginfo_t) -> CInt {
  #if canImport(Darwin)
    info.si_status
  #else
    info._sifields._sigchld.si_status
  #endif
}
