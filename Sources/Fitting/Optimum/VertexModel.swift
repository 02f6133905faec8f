/// A loss as a function of how mixtures are blended: convex where the loss is.
///
///     L(Σ_v α_v·r_v)
///
/// - α: the parts of the blend `[vertex]`, on the simplex.
/// - r_v: ``vertices`` `[vertex][domain]`.
struct VertexModel: ConvexLossModel {
  let model: any ConvexLossModel
  let vertices: [[Double]]

  /// How many mixtures are blended.
  var domainCount: Int { vertices.count }
  var isConvex: Bool { model.isConvex }

  /// Returns Σ α_v·r_v.
  static func blend(_ vertices: [[Double]], _ parts: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: vertices[0].count)
    for (vertex, part) in zip(vertices, parts) {
      for domain in result.indices { result[domain] += part * vertex[domain] }
    }
    return result
  }

  func loss(of parts: [Double]) -> Double { model.loss(of: Self.blend(vertices, parts)) }

  func gradient(at parts: [Double]) -> [Double] {
    let gradient = model.gradient(at: Self.blend(vertices, parts))
    return vertices.map { zip($0, gradient).reduce(0) { $0 + $1.0 * $1.1 } }
  }

  func curvature(at parts: [Double]) -> [Double] {
    let curvature = model.curvature(at: Self.blend(vertices, parts))
    let count = vertices[0].count
    let bent = vertices.map { vertex in
      (0..<count).map { row in
        (0..<count).reduce(0) { $0 + curvature[row * count + $1] * vertex[$1] }
      }
    }
    return bent.flatMap { row in
      vertices.map { vertex in zip(row, vertex).reduce(0) { $0 + $1.0 * $1.1 } }
    }
  }
}
