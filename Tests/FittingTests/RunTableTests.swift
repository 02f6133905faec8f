import Fitting
import Testing

// Covers: TableFault.swift

@Suite(.timeLimit(.minutes(5)))
struct RunTableTests {
  private func csv(_ text: String, _ path: String) throws -> CSVTable {
    try CSVTable(bytes: Array(text.utf8), path: path)
  }

  private func table(
    _ mixtures: String, _ losses: String, _ change: (inout RunTable.Reading) -> Void = { _ in }
  ) throws -> RunTable {
    var reading = RunTable.Reading()
    change(&reading)
    return try RunTable(
      mixtures: csv(mixtures, "m.csv"), losses: csv(losses, "l.csv"), reading: reading)
  }

  @Test(arguments: ["index", ""])
  func runsAreJoinedByTheirIndexWhateverTheOrder(index: String) throws {
    let table = try table(
      "\(index),p_code,p_web\n7,0.25,0.75\n3,0.5,0.5\n9,1,0\n",
      "web,\(index),code\n30,3,31\n70,7,71\n80,8,81\n"
    ) { $0.domainPrefix = "p_" }
    #expect(table.domainNames == ["code", "web"])
    #expect(table.runNames == ["7", "3"])
    #expect(table.losses(named: "web") == [70, 30])
    #expect(table.losses(named: "code") == [71, 31])
    #expect(table.shares == [[0.25, 0.75], [0.5, 0.5]])
    #expect(table.unmatchedRuns == ["9", "8"])
  }

  @Test func tablesWithoutIndexAreJoinedByRow() throws {
    let table = try table("a,b\n1,0\n0,1\n", "loss\n2\n3\n")
    #expect(table.runNames == ["1", "2"])
    #expect(table.losses == [[2, 3]])
    #expect(throws: FittingError.self) { try self.table("a,b\n1,0\n", "loss\n2\n3\n") }
    // An index in one of the two is either asked to be ignored or an error.
    #expect(throws: FittingError.self) { try self.table("index,a\n5,1\n", "loss\n2\n") }
    #expect(try self.table("index,a\n5,1\n", "loss\n2\n") { $0.join = .row }.domainNames == ["a"])
  }

  @Test func oneFileMayHoldBoth() throws {
    let text = "name,a,b,loss\nx,0.5,0.5,3\ny,0,1,4\n"
    let whole = try csv(text, "r.csv")
    var reading = RunTable.Reading()
    reading.join = .column("name")
    reading.domainColumns = ["b", "a"]
    reading.lossColumns = ["loss"]
    let table = try RunTable(mixtures: whole, losses: whole, reading: reading)
    #expect(table.domainNames == ["b", "a"])
    #expect(table.shares == [[0.5, 0.5], [1, 0]])
    #expect(table.runNames == ["x", "y"])
    #expect(table.sources.count == 1)
  }

  @Test func roundedSharesAreKeptAndNormalized() throws {
    let table = try table("a,b\n0.333,0.663\n0.5,0.503\n", "loss\n2\n3\n")
    #expect(table.writtenShares == [[0.333, 0.663], [0.5, 0.503]])
    #expect(table.shares.allSatisfy { abs($0.reduce(0, +) - 1) < 1e-15 })
    // 1.0199: a mistake, unless it is asked for.
    #expect(throws: FittingError.self) { try self.table("a,b\n0.5,0.5199\n", "l\n2\n") }
    let asked = try self.table("a,b\n0.5,0.5199\n", "l\n2\n") { $0.sumTolerance = 0.05 }
    #expect(asked.shares[0][0] == 0.5 / 1.0199)
  }

  @Test(arguments: [
    ("index,a,b\n1,0.5,-0.5\n", "index,l\n1,2\n", "m.csv:2: column 'b' has -0.5"),
    ("index,a,b\n1,0.5,x\n", "index,l\n1,2\n", "m.csv:2: column 'b' has 'x'"),
    ("index,a,b\n1,0,0\n", "index,l\n1,2\n", "m.csv:2: the shares sum to 0.0"),
    ("index,a,b\n1,nan,0\n", "index,l\n1,2\n", "m.csv:2: column 'a' has nan"),
    ("index,a\n1,1\n", "index,l\n1,inf\n", "l.csv:2: column 'l' has inf"),
    ("index,a\n1,1\n1,1\n", "index,l\n1,2\n", "m.csv:3: run '1' stands here a second time"),
    ("index,a\n1,1\n", "index,l\n1,2\n1,3\n", "l.csv:3: run '1' stands here a second time"),
    ("index,a\n1,1\n", "index,l\n2,2\n", "l.csv: no run that has both"),
    ("index,a\n", "index,l\n", "l.csv: no run that has both"),
    ("index\n1\n", "index,l\n1,2\n", "m.csv:1: no column of shares"),
    ("index,a\n1,1\n", "index\n1\n", "l.csv:1: no column of shares or losses"),
    ("a\n1\n", "index,l\n1,2\n", "m.csv:1: no column 'index'"),
  ])
  func whatIsWrongIsNamedWithItsPlace(mixtures: String, losses: String, part: String) {
    let error = #expect(throws: FittingError.self) { try table(mixtures, losses) }
    #expect("\(error.map { "\($0)" } ?? "")".hasPrefix(part), "\(part)")
  }

  @Test func unknownColumnsAreAnsweredWithNearOnes() {
    let error = #expect(throws: FittingError.self) {
      try table("index,a\n1,1\n", "index,web_loss\n1,2\n") { $0.lossColumns = ["web_los"] }
    }
    #expect(
      "\(error.map { "\($0)" } ?? "")" == "l.csv: no column 'web_los'; did you mean 'web_loss'?")
  }

  @Test(.enabled(if: RegMixRuns.isPresent, SharedData.comment))
  func thePublishedTablesAreRead() throws {
    let table = try RegMixRuns.table("train")
    #expect((table.runCount, table.domainCount, table.lossNames.count) == (512, 17, 13))
    let sums = table.writtenShares.map { $0.reduce(0, +) }
    #expect(abs((sums.min() ?? 0) - 0.996) < 1e-9 && abs((sums.max() ?? 0) - 1.003) < 1e-9)
    #expect(table.runNames.first == "1" && table.runNames.last == "512")
    #expect(table.unmatchedRuns.isEmpty)
  }
}
