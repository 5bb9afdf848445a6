//! Pictures, as SVG that any browser shows.

use simulator::Figure;

const ROW: f64 = 26.0;
const LEFT: f64 = 330.0;
const WIDTH: f64 = 860.0;
const INK: &str = "#1d2b36";
const PALE: &str = "#d9e4ea";
const GOOD: &str = "#1f7a4d";
const BAD: &str = "#b3261e";

/// How far each figure is off, in tolerances: the band is what is allowed, the bar two standard errors.
pub(super) fn figures(all: &[(&str, Vec<Figure>)]) -> String {
    let rows = all.iter().map(|(_, figures)| figures.len()).sum::<usize>();
    let height = height(rows);
    let mut svg = head(WIDTH, height, "Measured against theory: deviation in units of the tolerance");
    let x = |share: f64| LEFT + (share.clamp(-2.0, 2.0) + 2.0) / 4.0 * (WIDTH - LEFT - 120.0);
    let (from, to) = (x(-1.0), x(1.0));
    svg.push_str(&format!(
        r#"<rect x="{from:.1}" y="40" width="{:.1}" height="{:.1}" fill="{PALE}"/>"#,
        to - from,
        height - 50.0
    ));
    svg.push_str(&format!(
        r#"<line x1="{0:.1}" x2="{0:.1}" y1="40" y2="{1:.1}" stroke="{INK}"/>"#,
        x(0.0),
        height - 10.0
    ));
    let mut y = 40.0 + ROW / 2.0;
    for (name, figures) in all {
        for figure in figures {
            let unit = figure.expected * figure.tolerance;
            let off = (figure.measured - figure.expected) / unit;
            let error = 2.0 * figure.error / unit;
            let colour = if figure.is_ok() { GOOD } else { BAD };
            text(&mut svg, 12.0, y + 4.0, &format!("{name}  {}", figure.name));
            svg.push_str(&format!(r#"<line x1="{:.1}" x2="{:.1}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/><circle cx="{:.1}" cy="{y}" r="5" fill="{colour}"/>"#,
                x(off - error),
                x(off + error),
                x(off)));
            text(&mut svg, WIDTH - 110.0, y + 4.0, &format!("{:.4}", figure.measured));
            y += ROW;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Values by hour of the day as bars, and a line of shares from 0 to 1 above them.
pub(super) fn by_hour(title: &str, bars: &[(u32, f64)], line: &[(u32, f64)]) -> String {
    let (height, base) = (320.0, 280.0);
    let mut svg = head(WIDTH, height, title);
    let most = bars.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    let step = (WIDTH - 80.0) / 24.0;
    let x = |hour: u32| 40.0 + f64::from(hour) * step;
    for (hour, value) in bars {
        let tall = value / most * 220.0;
        svg.push_str(&format!(
            r##"<rect x="{:.1}" y="{:.1}" width="{:.1}" height="{tall:.1}" fill="#7fa6b8"/>"##,
            x(*hour) + 2.0,
            base - tall,
            step - 4.0
        ));
        text(&mut svg, x(*hour) + step / 2.0 - 8.0, base + 18.0, &format!("{hour:02}"));
    }
    let points: Vec<String> = line
        .iter()
        .map(|(hour, share)| format!("{:.1},{:.1}", x(*hour) + step / 2.0, base - share * 220.0))
        .collect();
    svg.push_str(&format!(
        r#"<polyline points="{}" fill="none" stroke="{BAD}" stroke-width="2.5"/></svg>"#,
        points.join(" ")
    ));
    svg.push('\n');
    svg
}

#[expect(clippy::cast_precision_loss, reason = "some dozens of rows")]
fn height(rows: usize) -> f64 {
    50.0 + rows as f64 * ROW
}

fn head(width: f64, height: f64, title: &str) -> String {
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="system-ui, sans-serif" font-size="13" fill="{INK}"><rect width="100%" height="100%" fill="white"/>"#
    );
    text(&mut svg, 12.0, 24.0, title);
    svg
}

fn text(svg: &mut String, x: f64, y: f64, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    svg.push_str(&format!(r#"<text x="{x:.1}" y="{y:.1}">{words}</text>"#));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_has_its_row_and_its_colour() {
        let figure =
            |measured| Figure { name: "a < b", expected: 1.0, measured, error: 0.01, tolerance: 0.1 };
        let svg = figures(&[("B1", vec![figure(1.05), figure(1.3)])]);
        assert_eq!(svg.matches("<circle").count(), 2);
        assert_eq!((svg.matches(GOOD).count(), svg.matches(BAD).count()), (2, 2));
        assert!(svg.contains("a &lt; b") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn hours_stand_side_by_side() {
        let svg = by_hour("Calls", &[(7, 10.0), (8, 20.0)], &[(7, 0.5), (8, 1.0)]);
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(svg.contains("height=\"220.0\"") && svg.contains("<polyline"));
    }
}
