/// How charts and pages look: colors that people with any color vision tell apart, on light and on
/// dark, and on paper.
enum ChartStyle {
  /// The dash patterns; a series has a color, a dash and a marker, and no two have all three alike
  /// up to 144.
  static let dashes = ["", "7 3", "2 3", "9 3 2 3"]

  /// Six colors by Okabe and Ito, on light darkened where white needs it.
  static let colorCount = 6

  /// The color variables and what uses them, for a page as for a picture that stands alone.
  static let chartRules = """
    :root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de;
      --paper: #ffffff; --c0: #0072b2; --c1: #d55e00; --c2: #00865f; --c3: #b45a92; --c4: #b07a00;
      --c5: #3a8fc4; }
    @media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --line: #3a424c;
      --paper: #0f1318; --c0: #4aa8e8; --c1: #ff8a4c; --c2: #34c79a; --c3: #e39bc4; --c4: #f0b73a;
      --c5: #8fd0f5; } }
    @media print { :root { --ink: #000000; --soft: #444444; --line: #cccccc; --paper: #ffffff;
      --c0: #0072b2; --c1: #d55e00; --c2: #00865f; --c3: #b45a92; --c4: #b07a00; --c5: #3a8fc4; } }
    svg.chart { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; }
    svg.chart text { fill: var(--ink); }
    svg.chart .soft { fill: var(--soft); }
    svg.chart .small { font-size: 11px; }
    svg.chart .title { font-weight: 600; font-size: 15px; }
    svg.chart .grid { stroke: var(--line); stroke-width: 1; }
    svg.chart .paper { fill: var(--paper); }
    svg.chart .series { fill: none; stroke-width: 2; stroke-linejoin: round; }
    svg.chart .thin { stroke-width: 1.2; }
    svg.chart .faint { opacity: 0.6; }
    svg.chart .leader { fill: none; stroke: var(--soft); stroke-width: 0.7; }
    """ + colorRules

  private static let colorRules =
    (0..<colorCount).map {
      "\nsvg.chart .s\($0) { stroke: var(--c\($0)); } svg.chart .f\($0) { fill: var(--c\($0)); }"
    }.joined() + "\nsvg.chart .ink { stroke: var(--ink); } svg.chart .fink { fill: var(--ink); }"

  /// What a page has besides its charts.
  static let pageRules = """
    * { box-sizing: border-box; }
    body { margin: 0 auto; padding: 24px 20px 48px; max-width: 960px; color: var(--ink);
      background: var(--paper); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
    h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
    h2 { font-size: 1.15rem; margin: 36px 0 8px; }
    p { margin: 6px 0; }
    .soft { color: var(--soft); }
    .lead { font-size: 1.1rem; margin: 12px 0 20px; }
    figure { margin: 28px 0 0; break-inside: avoid; }
    svg.chart { display: block; width: 100%; height: auto; }
    svg.narrow { display: none; }
    .scroll { overflow-x: auto; }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
    th, td { padding: 5px 10px; text-align: right; white-space: nowrap;
      border-bottom: 1px solid var(--line); }
    th { font-weight: 600; font-size: 0.85rem; color: var(--soft); vertical-align: bottom; }
    th:first-child, td:first-child { text-align: left; padding-left: 0; }
    tr.mean td { border-bottom: 0; font-weight: 600; }
    dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 18px; margin: 0; }
    dt { color: var(--soft); }
    dd { margin: 0; overflow-wrap: anywhere; }
    svg.chart.key { display: inline-block; width: 26px; height: 12px;
      vertical-align: baseline; margin-right: 6px; }
    @media (max-width: 640px) { body { padding: 16px 14px 32px; font-size: 15px; }
      svg.wide { display: none; } svg.narrow { display: block; }
      th, td { padding: 5px 6px; } table { font-size: 14px; }
      dl { grid-template-columns: 1fr; gap: 0; }
      dd { margin-bottom: 8px; } }
    @media print { body { padding: 0; font-size: 11pt; } svg.wide { display: block; }
      svg.narrow { display: none; } h2 { break-after: avoid; } }
    """
}
