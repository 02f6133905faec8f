import Kernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The installed OpenBLAS, opened when the program runs, to compare with.
///
/// Headrace itself needs none.
struct OpenBLAS {
  /// What is opened; the name that Linux distributions install.
  static let libraryName = "libopenblas.so.0"

  private typealias Product =
    @convention(c) (
      Int32, Int32, Int32, Int32, Int32, Int32, Float, UnsafePointer<Float>, Int32,
      UnsafePointer<Float>, Int32, Float, UnsafeMutablePointer<Float>, Int32
    ) -> Void

  private let product: Product
  private let setThreadCount: @convention(c) (Int32) -> Void
  /// Version and chosen processor, as the library says it.
  let configuration: String

  /// Opens the library, or answers nil when it is not installed.
  init?() {
    // Its threads wait for more work in a busy loop of up to 2^26 cycles, on the cores that ours
    // need. 2^22 keeps them awake within a round of products and lets them sleep between rounds.
    setenv("OPENBLAS_THREAD_TIMEOUT", "22", 0)
    guard let library = dlopen(Self.libraryName, RTLD_NOW),
      let product = dlsym(library, "cblas_sgemm"),
      let setThreadCount = dlsym(library, "openblas_set_num_threads")
    else { return nil }
    // These signatures have been those of the CBLAS interface and of OpenBLAS since its first
    // release.
    self.product = unsafeBitCast(product, to: Product.self)
    self.setThreadCount = unsafeBitCast(
      setThreadCount, to: (@convention(c) (Int32) -> Void).self)
    if let describe = dlsym(library, "openblas_get_config") {
      let call = unsafeBitCast(
        describe, to: (@convention(c) () -> UnsafePointer<CChar>?).self)
      configuration = call().map { String(cString: $0) } ?? "OpenBLAS"
    } else {
      configuration = "OpenBLAS"
    }
  }

  /// Sets how many threads the following products use.
  func useThreads(_ count: Int) { setThreadCount(Int32(count)) }

  /// The same product as `KernelContext.multiply`.
  func multiply(_ form: ProductForm, _ a: Matrix, _ b: Matrix, into c: Matrix) {
    let (rowMajor, plain, transposed): (Int32, Int32, Int32) = (101, 111, 112)
    let depth = form == .transposedA ? a.rowCount : a.columnCount
    product(
      rowMajor, form == .transposedA ? transposed : plain,
      form == .transposedB ? transposed : plain, Int32(c.rowCount), Int32(c.columnCount),
      Int32(depth), 1, a.start, Int32(a.stride), b.start, Int32(b.stride), 0, c.start,
      Int32(c.stride))
  }
}
