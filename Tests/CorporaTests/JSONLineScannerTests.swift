// Covers: JSONCursor.swift
import Corpora
import Foundation
import HeadraceTesting
import Testing

@Suite struct JSONLineScannerTests {
  private func text(_ line: String, field: String = "text") throws -> String {
    try text(Array(line.utf8), field: field)
  }

  private func text(_ line: [UInt8], field: String = "text") throws -> String {
    var scanner = JSONLineScanner(field: field)
    return try line.withUnsafeBytes { line in
      String(decoding: try scanner.text(of: line), as: UTF8.self)
    }
  }

  private func failure(_ line: String, field: String = "text") -> DocumentFailure? {
    do {
      _ = try text(line, field: field)
    } catch let failure as DocumentFailure {
      return failure
    } catch {}
    return nil
  }

  @Test(
    .timeLimit(.minutes(5)),
    arguments: [
      (#"{"text":""}"#, ""),
      (#"{"text":"a"}"#, "a"),
      (#" { "text" : "a b" } "# + "\r", "a b"),
      (#"{"a":1,"text":"x","b":[{"text":"no"}]}"#, "x"),
      (#"{"meta":{"text":"no"},"text":"yes"}"#, "yes"),
      (#"{"text":"first","text":"last"}"#, "last"),
      (#"{"t\u0065xt":"escaped key"}"#, "escaped key"),
      (#"{"text":"a\nb","\u0061":1}"#, "a\nb"),
      (#"{"text":"\"\\\/\b\f\n\r\t"}"#, "\"\\/\u{8}\u{C}\n\r\t"),
      (#"{"text":"\u0041\u00e9\u20AC\ud83d\uDE00"}"#, "Aé€😀"),
      (#"{"text":"\u0000"}"#, "\0"),
      (#"{"text":"é€😀 plain"}"#, "é€😀 plain"),
      (#"{"n":-0.5e+10,"t":true,"f":false,"z":null,"e":{},"l":[],"text":"x"}"#, "x"),
      (#"{"surrogate":"\ud800","text":"x"}"#, "x"),
      (
        #"{"text":"0123456789012345678901234567890\n123456789"}"#,
        "0123456789012345678901234567890\n123456789"
      ),
    ])
  func takesTheTextOut(line: String, expected: String) throws {
    #expect(try text(line) == expected)
  }

  @Test func takesAnotherField() throws {
    #expect(try text(#"{"text":1,"inhalt":"x"}"#, field: "inhalt") == "x")
    #expect(try text(#"{"":"x"}"#, field: "") == "x")
  }

  @Test(
    .timeLimit(.minutes(5)),
    arguments: [
      (#"[]"#, DocumentFault.unexpectedByte(0x5B), 0),
      (#"{"text":"a""#, .unexpectedEnd, 11),
      (#"{"text":"a"}}"#, .unexpectedByte(0x7D), 12),
      (#"{"text":"a",}"#, .unexpectedByte(0x7D), 12),
      (#"{"text" "a"}"#, .unexpectedByte(0x22), 8),
      (#"{text:"a"}"#, .unexpectedByte(0x74), 1),
      (#"{"text":"a\x"}"#, .invalidEscape, 10),
      (#"{"text":"a\u12g4"}"#, .invalidEscape, 14),
      (#"{"text":"\ud800"}"#, .loneSurrogate, 9),
      (#"{"text":"\udc00\ud800"}"#, .loneSurrogate, 9),
      (#"{"text":"\ud800\u0041"}"#, .loneSurrogate, 9),
      (#"{"text":"\ud800x"}"#, .loneSurrogate, 9),
      ("{\"text\":\"a\tb\"}", .unexpectedByte(0x09), 10),
      ("{\"other\":\"a\u{1}b\",\"text\":\"\"}", .unexpectedByte(0x01), 11),
      (#"{"a":"b"}"#, .missingField(name: "text"), 0),
      (#"{}"#, .missingField(name: "text"), 0),
      (#"{"text":null}"#, .fieldNotString(name: "text"), 8),
      (#"{"text":["a"]}"#, .fieldNotString(name: "text"), 8),
      (#"{"a":01,"text":"x"}"#, .unexpectedByte(0x31), 6),
      (#"{"a":+1,"text":"x"}"#, .unexpectedByte(0x2B), 5),
      (#"{"a":1.,"text":"x"}"#, .unexpectedByte(0x2C), 7),
      (#"{"a":tru,"text":"x"}"#, .unexpectedByte(0x2C), 8),
      (#"{"a":[1 2],"text":"x"}"#, .unexpectedByte(0x32), 8),
      (#"{"text":"\u00"#, .unexpectedEnd, 13),
      (#"{"text":"\"#, .unexpectedEnd, 10),
      (#"{"#, .unexpectedEnd, 1),
    ])
  func namesTheFaultAndItsPlace(line: String, fault: DocumentFault, offset: Int) {
    #expect(failure(line) == DocumentFailure(fault, at: offset))
  }

  @Test func refusesTooDeepNestingButNotWide() throws {
    let open = String(repeating: "[", count: 100_000)
    #expect(failure(#"{"a":"# + open)?.fault == .tooDeep(limit: 256))
    let deep = String(repeating: "[", count: 255) + String(repeating: "]", count: 255)
    #expect(try text(#"{"a":"# + deep + #","text":"x"}"#) == "x")
    let wide = "[" + String(repeating: "[],", count: 10_000) + "[]]"
    #expect(try text(#"{"a":"# + wide + #","text":"x"}"#) == "x")
  }

  @Test func refusesBytesThatAreNotUTF8WhereverTheyStand() {
    var line = Array(#"{"a":"b","text":"x"}"#.utf8)
    line[6] = 0xFF
    #expect(throws: DocumentFailure(.invalidUTF8, at: 6)) { try text(line) }
  }

  @Test(.timeLimit(.minutes(5)))
  func everyPrefixOfALineIsAFault() throws {
    let line = #"{"a":[1,{"b":null}],"text":"é\n\ud83d\ude00","c":-1.5e3}"#
    let bytes = Array(line.utf8)
    #expect(try text(bytes) == "é\n😀")
    for count in 0..<bytes.count {
      #expect(throws: DocumentFailure.self) { try text(Array(bytes[..<count])) }
    }
  }
}

/// Lines of every kind, compared with Foundation's decoder.
@Suite struct JSONLineDifferentialTests {
  private struct Line: Codable, Equatable { var text: String }

  private static func piece(_ generator: inout TestGenerator) -> String {
    let pieces = [
      "a", "plain text of some length ", "\\n", "\\t", "\\\"", "\\\\", "\\/", "\\u00e9", "é", "€",
      "😀", "\\ud83d\\ude00", "\\u0000", " ", "01234567", "x\\ny",
    ]
    return pieces.randomElement(using: &generator) ?? ""
  }

  private static func string(_ generator: inout TestGenerator) -> String {
    let count = Int.random(in: 0..<12, using: &generator)
    return "\"" + (0..<count).map { _ in piece(&generator) }.joined() + "\""
  }

  private static func value(_ generator: inout TestGenerator, depth: Int) -> String {
    switch Int.random(in: 0..<(depth < 3 ? 9 : 7), using: &generator) {
    case 0: return "null"
    case 1: return "true"
    case 2: return "false"
    case 3: return "\(Int.random(in: -1000...1000, using: &generator))"
    case 4: return "\(Double.random(in: -1...1, using: &generator))"
    case 5, 6: return string(&generator)
    case 7:
      let values = (0..<Int.random(in: 0..<4, using: &generator)).map { _ in
        value(&generator, depth: depth + 1)
      }
      return "[" + values.joined(separator: ", ") + "]"
    default:
      let count = Int.random(in: 0..<4, using: &generator)
      let values = (0..<count).map { "\"k\($0)\": " + value(&generator, depth: depth + 1) }
      return "{" + values.joined(separator: ",") + "}"
    }
  }

  private static func line(_ generator: inout TestGenerator) -> [UInt8] {
    let before = (0..<Int.random(in: 0..<3, using: &generator)).map {
      "\"b\($0)\":" + value(&generator, depth: 0)
    }
    let after = (0..<Int.random(in: 0..<3, using: &generator)).map {
      "\"a\($0)\" :" + value(&generator, depth: 0)
    }
    let text = "\"text\": " + string(&generator)
    return Array(("{" + (before + [text] + after).joined(separator: ",") + "}").utf8)
  }

  @Test(.timeLimit(.minutes(5)), arguments: 0..<8 as Range<UInt64>)
  func agreesWithFoundation(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    var scanner = JSONLineScanner(field: "text")
    let decoder = JSONDecoder()
    for _ in 0..<500 {
      let line = Self.line(&generator)
      let expected = try decoder.decode(Line.self, from: Data(line)).text
      let found = try line.withUnsafeBytes { line in
        String(decoding: try scanner.text(of: line), as: UTF8.self)
      }
      #expect(found == expected, "seed \(seed): \(String(decoding: line, as: UTF8.self))")
    }
  }

  @Test(.timeLimit(.minutes(5)), arguments: 0..<8 as Range<UInt64>)
  func acceptsNoBrokenLineThatFoundationRefuses(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    var scanner = JSONLineScanner(field: "text")
    let decoder = JSONDecoder()
    for _ in 0..<1500 {
      var line = Self.line(&generator)
      let place = Int.random(in: 0..<line.count, using: &generator)
      line[place] = UInt8.random(in: 0...255, using: &generator)
      let expected = try? decoder.decode(Line.self, from: Data(line)).text
      let found = try? line.withUnsafeBytes { line in
        String(decoding: try scanner.text(of: line), as: UTF8.self)
      }
      if found != nil {
        #expect(found == expected, "seed \(seed): \(String(decoding: line, as: UTF8.self))")
      }
    }
  }
}
