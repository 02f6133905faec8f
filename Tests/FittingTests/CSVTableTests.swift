import Fitting
import Testing

@Suite(.timeLimit(.minutes(5)))
struct CSVTableTests {
  private func table(_ text: String) throws(FittingError) -> CSVTable {
    try CSVTable(bytes: Array(text.utf8), path: "t.csv")
  }

  @Test func quotesLineEndsAndBlankEndsAreRead() throws {
    let text = "\u{FEFF}index,\"a,b\",c\r\n1,\"say \"\"no\"\"\",3\r\n2,\"two\nlines\",\r\n\r\n\n"
    let table = try table(text)
    #expect(table.header == ["index", "a,b", "c"])
    #expect(table.rows == [["1", "say \"no\"", "3"], ["2", "two\nlines", ""]])
    #expect(table.lines == [2, 3])
    #expect(try self.table("a\n1").rows == [["1"]])
  }

  @Test func whatIsWrittenIsReadBack() throws {
    let rows = [["index", "a,b"], ["say \"no\"", "two\nlines"], ["", "x\r"]]
    let table = try table(CSVTable.text(of: rows))
    #expect([table.header] + table.rows == rows)
  }

  @Test(arguments: [
    ("", "t.csv: empty"), ("\n\n", "t.csv: empty"),
    ("a,b\n1\n", "t.csv:2: 1 cells, but the header names 2 columns"),
    ("a,b\n1,2,3\n", "t.csv:2: 3 cells"), ("a,b\n\n1,2\n", "t.csv:2: 1 cells"),
    ("a\n\"open\n\n", "t.csv:2: a quote opens here and nowhere closes"),
    ("a\nx\"y\n", "t.csv:2: a quote in the middle"), ("a\n\"x\"y\n", "t.csv:2: a quote in the"),
    ("a,a\n", "t.csv:1: two columns are named 'a'"),
    (",\n", "t.csv:1: two columns have no name"),
  ])
  func otherTextIsNamedWithItsLine(text: String, part: String) {
    let error = #expect(throws: FittingError.self) { try table(text) }
    #expect("\(error.map { "\($0)" } ?? "")".hasPrefix(part))
  }

  @Test func bytesThatAreNoTextAreNamed() {
    let error = #expect(throws: FittingError.self) {
      try CSVTable(bytes: Array("a\n".utf8) + [0xFF, 0xFE], path: "t.csv")
    }
    #expect("\(error.map { "\($0)" } ?? "")".hasPrefix("t.csv:2: a cell is not UTF-8"))
  }

  @Test func filesThatCannotBeReadAreNamed() {
    let error = #expect(throws: FittingError.self) { try CSVTable(atPath: "/nowhere/t.csv") }
    #expect(
      "\(error.map { "\($0)" } ?? "")"
        == "/nowhere/t.csv: cannot be read: No such file or directory")
    #expect(throws: FittingError.self) { try CSVTable(atPath: "/") }
  }

  @Test func numbersAreCheckedWhereTheyStand() throws {
    let table = try table("a,b\n 0.5 ,x\n1e400,nan\n-1,\n")
    #expect(try table.number(row: 0, column: 0, in: 0...1) == 0.5)
    for (row, column, part) in [
      (0, 1, "t.csv:2: column 'b' has 'x', which is no number"),
      (1, 0, "t.csv:3: column 'a' has inf"), (1, 1, "t.csv:3: column 'b' has nan"),
      (2, 0, "t.csv:4: column 'a' has -1.0, which is not in 0.0…1.0"),
      (2, 1, "t.csv:4: column 'b' has '', which"),
    ] {
      let error = #expect(throws: FittingError.self) {
        try table.number(row: row, column: column, in: 0...1)
      }
      #expect("\(error.map { "\($0)" } ?? "")".hasPrefix(part))
    }
  }

  @Test func anyCutOfATableIsReadOrNamed() throws {
    let bytes = Array("i,\"x\"\"\",y\r\n1,\"a\nb\",0.5\r\n".utf8)
    for end in bytes.indices {
      // Whatever comes out, it comes out.
      _ = try? CSVTable(bytes: Array(bytes[..<end]), path: "t.csv")
      var flipped = bytes
      flipped[end] ^= 0x22
      _ = try? CSVTable(bytes: flipped, path: "t.csv")
    }
    #expect(try CSVTable(bytes: bytes, path: "t.csv").rows == [["1", "a\nb", "0.5"]])
  }
}
