import Corpora
import HeadraceTesting
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite(.timeLimit(.minutes(5)))
struct FileVersionTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.write([1, 2, 3], to: "file")
  }

  private func version(_ name: String = "file") throws -> FileVersion {
    try FileReader(path: folder.path + "/" + name).version
  }

  /// Waits for the clock that files are stamped by.
  private func pause() { usleep(50_000) }

  @Test func `a file is the same by whatever path`() throws {
    #expect(symlink("file", folder.path + "/soft") == 0)
    #expect(link(folder.path + "/file", folder.path + "/hard") == 0)
    let first = try version()
    #expect(first.byteCount == 3)
    for name in ["file", "soft", "hard", "./file"] { #expect(try version(name) == first) }
    try folder.write([1, 2, 3], to: "other")
    #expect(try version("other").identity != first.identity)
  }

  @Test func `every change makes another version`() throws {
    let first = try version()
    pause()
    #expect(folder.patch("file", at: 1, with: [9]))
    let patched = try version()
    #expect(patched != first && patched.identity == first.identity)
    #expect(patched.modificationTime > first.modificationTime)
    // A program that gives the file its old time back cannot give back when it did so.
    pause()
    var times = [timespec(), timespec()]
    for place in times.indices {
      times[place].tv_sec = first.modificationTime / 1_000_000_000
      times[place].tv_nsec = first.modificationTime % 1_000_000_000
    }
    #expect(utimensat(AT_FDCWD, folder.path + "/file", times, 0) == 0)
    let stamped = try version()
    #expect(stamped.modificationTime == first.modificationTime && stamped != first)
    pause()
    try folder.replace("file", with: [1, 2, 3])
    #expect(try version().identity != first.identity)
  }
}
