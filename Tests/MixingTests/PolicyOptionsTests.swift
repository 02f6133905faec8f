// Covers: MixturePolicy.swift, PolicyContext.swift
import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct PolicyOptionsTests {
  private enum Form: String, CaseIterable { case code, paper }

  private func options(_ values: [String: String]) -> PolicyOptions {
    PolicyOptions(values, ofPolicy: "odm")
  }

  @Test func `what is given is read, what is left out has its default`() throws {
    let given = options([
      "rate": "1e-3", "count": "7", "is-frozen": "true", "form": "paper", "file": "a=b",
    ])
    #expect(try given.number("rate", default: 1, in: 0...1) == 1e-3)
    #expect(try given.integer("count", default: 1, in: 1...10) == 7)
    #expect(try given.flag("is-frozen", default: false))
    #expect(try given.choice("form", default: Form.code) == .paper)
    #expect(try given.required("file") == "a=b")
    let none = options([:])
    #expect(try none.number("rate", default: 0.25, in: 0...1) == 0.25)
    #expect(try none.integer("count", default: 3, in: 1...10) == 3)
    #expect(try !none.flag("is-frozen", default: false))
    #expect(try none.choice("form", default: Form.code) == .code)
    expectError("policy 'odm' needs the option 'file' here") { _ = try none.required("file") }
  }

  @Test(arguments: ["", "x", "nan", "inf", "-0.1", "1.1", "1,5"])
  func `a number out of its range is refused`(text: String) {
    expectError("option 'rate' of policy 'odm' is '\(text)'; expected: a number in [0, 1]") {
      _ = try options(["rate": text]).number("rate", default: 0, in: 0...1)
    }
  }

  @Test func `other values that cannot be read are refused`() {
    expectError("option 'count' of policy 'odm' is '1.5'; expected: a whole number in [1, 10]") {
      _ = try options(["count": "1.5"]).integer("count", default: 1, in: 1...10)
    }
    expectError("option 'is-frozen' of policy 'odm' is 'yes'; expected: true or false") {
      _ = try options(["is-frozen": "yes"]).flag("is-frozen", default: true)
    }
    expectError("option 'form' of policy 'odm' is 'Code'; expected: one of code, paper") {
      _ = try options(["form": "Code"]).choice("form", default: Form.code)
    }
  }
}
