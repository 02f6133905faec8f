import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct NearNamesTests {
  private let known = ["ac-odm", "alignment", "manual", "odm", "replay", "schedule", "static"]

  @Test(arguments: [
    ("odms", ["odm"]), ("sttaic", ["static"]), ("STATIC", ["static"]), ("acodm", ["ac-odm"]),
    ("sched", ["schedule"]), ("xyzzy", []), ("", []), ("replays", ["replay"]),
  ])
  func theNearOnesAreFound(name: String, near: [String]) {
    #expect(NearNames.of(name, in: known).first == near.first)
    #expect(NearNames.of(name, in: known).isEmpty == near.isEmpty)
  }

  @Test(arguments: [
    ("", "", 0), ("a", "", 1), ("abc", "abc", 0), ("kitten", "sitting", 3), ("ab", "ba", 1),
    ("abcd", "acbd", 1), ("ca", "abc", 3),
  ])
  func distancesAreThoseOfTextbooks(a: String, b: String, distance: Int) {
    #expect(NearNames.editDistance(Array(a), Array(b)) == distance)
    #expect(NearNames.editDistance(Array(b), Array(a)) == distance)
  }

  @Test func atMostThreeTheNearestFirst() {
    let near = NearNames.of("web", in: ["web4", "web3", "web2", "webs1", "weeb"])
    #expect(near == ["web2", "web3", "web4"])
  }
}
