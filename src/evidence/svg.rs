//! Charts as SVG text: bars, lines, bands and axes. No script, no font of its own, nothing from elsewhere.

use std::fmt::Write as _;

use super::text::xml;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 62.0;
const LEFT_OF_NAMES: f64 = 190.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 46.0;

/// What an axis stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis<'a> {
    pub(super) label: &'a str,
    pub(super) from: f64,
    pub(super) to: f64,
    /// Names at their places, instead of numbers.
    pub(super) names: &'a [&'a str],
}

impl<'a> Axis<'a> {
    pub(super) fn new(label: &'a str, from: f64, to: f64) -> Self {
        // An axis of no length has no scale.
        let to = if to > from { to } else { from + 1.0 };
        Self { label, from, to, names: &[] }
    }

    fn share(&self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    /// Where ticks stand, and what they say.
    fn ticks(&self) -> Vec<(f64, String)> {
        if !self.names.is_empty() {
            return self.names.iter().enumerate().map(|(place, name)| (place as f64, xml(name))).collect();
        }
        let rough = (self.to - self.from) / 6.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let first = (self.from / step).ceil() as i64;
        let last = (self.to / step + 1e-9).floor() as i64;
        (first..=last).map(|count| (count as f64 * step, format!("{:.decimals$}", count as f64 * step))).collect()
    }
}

/// A chart that is being drawn. Later things lie above earlier ones.
pub(super) struct Chart<'a> {
    x: Axis<'a>,
    y: Axis<'a>,
    body: String,
}

impl<'a> Chart<'a> {
    pub(super) fn new(title: &str, x: Axis<'a>, y: Axis<'a>) -> Self {
        let body = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             font-family=\"sans-serif\" font-size=\"12\"><title>{}</title>\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>",
            xml(title)
        );
        Self { x, y, body }
    }

    fn left(&self) -> f64 {
        if self.y.names.is_empty() { LEFT } else { LEFT_OF_NAMES }
    }

    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (
            self.left() + self.x.share(x) * (WIDTH - self.left() - RIGHT),
            HEIGHT - BOTTOM - self.y.share(y) * (HEIGHT - TOP - BOTTOM),
        )
    }

    /// A bar from the ground to `height` for each bin.
    pub(super) fn bars(&mut self, edges: &[f64], heights: &[f64], color: &str) {
        for (edge, height) in edges.windows(2).zip(heights) {
            self.area((edge[0], edge[1]), (self.y.from, *height), color);
        }
    }

    /// A rectangle.
    pub(super) fn area(&mut self, (from, to): (f64, f64), (low, high): (f64, f64), color: &str) {
        let ((left, bottom), (right, top)) = (self.at(from, low), self.at(to, high));
        let (width, height) = ((right - left).max(0.0), (bottom - top).max(0.0));
        let _ = write!(
            self.body,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{color}\" \
             fill-opacity=\"0.55\"/>"
        );
    }

    /// Points, joined.
    pub(super) fn line(&mut self, points: &[(f64, f64)], color: &str) {
        let all: Vec<String> = points
            .iter()
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .map(|(x, y)| {
                let (x, y) = self.at(*x, *y);
                format!("{x:.1},{y:.1}")
            })
            .collect();
        let _ = write!(
            self.body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.6\"/>",
            all.join(" ")
        );
    }

    /// A dashed line at `x` from bottom to top, with words beside it at `height`.
    pub(super) fn mark(&mut self, x: f64, words: &str, height: f64) {
        let (_, words_y) = self.at(x, height);
        let ((x, bottom), (_, top)) = (self.at(x, self.y.from), self.at(x, self.y.to));
        let (anchor, beside) = if x > 0.6 * WIDTH { ("end", x - 4.0) } else { ("start", x + 4.0) };
        let _ = write!(
            self.body,
            "<line x1=\"{x:.1}\" y1=\"{bottom:.1}\" x2=\"{x:.1}\" y2=\"{top:.1}\" stroke=\"#222\" \
             stroke-dasharray=\"4 3\"/><text x=\"{beside:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            words_y + 11.0,
            xml(words)
        );
    }

    /// Names of colours, one below the other; the first stands there in the picture.
    pub(super) fn legend(&mut self, (x, y): (f64, f64), entries: &[(&str, &str)]) {
        for (place, (name, color)) in entries.iter().enumerate() {
            let y = y + 16.0 * place as f64;
            let _ = write!(
                self.body,
                "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\" fill=\"{color}\"/><text x=\"{:.1}\" \
                 y=\"{y:.1}\">{}</text>",
                y - 9.0,
                x + 15.0,
                xml(name)
            );
        }
    }

    /// The whole picture.
    pub(super) fn finish(mut self) -> String {
        let (origin, end) = (self.at(self.x.from, self.y.from), self.at(self.x.to, self.y.to));
        let _ = write!(
            self.body,
            "<path d=\"M{:.1} {:.1}V{:.1}H{:.1}\" fill=\"none\" stroke=\"#222\"/>",
            origin.0, end.1, origin.1, end.0
        );
        for (value, words) in self.x.ticks() {
            let (x, y) = self.at(value, self.y.from);
            let _ = write!(self.body, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{words}</text>", y + 16.0);
        }
        for (value, words) in self.y.ticks() {
            let (x, y) = self.at(self.x.from, value);
            let _ =
                write!(self.body, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{words}</text>", x - 5.0, y + 4.0);
        }
        let (middle_x, middle_y) = (0.5 * (self.left() + WIDTH - RIGHT), 0.5 * (TOP + HEIGHT - BOTTOM));
        let _ = write!(
            self.body,
            "<text x=\"{middle_x}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text><text x=\"14\" y=\"{middle_y}\" \
             text-anchor=\"middle\" transform=\"rotate(-90 14 {middle_y})\">{}</text></svg>",
            HEIGHT - 10.0,
            xml(self.x.label),
            xml(self.y.label)
        );
        self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_within_the_axis() {
        let ticks = |from, to| Axis::new("", from, to).ticks().into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(ticks(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(ticks(-13.0, 2.0), ["-10", "-5", "0"]);
        assert_eq!(ticks(0.0, 0.03), ["0.000", "0.005", "0.010", "0.015", "0.020", "0.025", "0.030"]);
        assert!(!ticks(5.0, 5.0).is_empty());
    }

    #[test]
    fn what_is_written_in_a_chart_cannot_become_part_of_it() {
        let mut chart = Chart::new("<script>", Axis::new("a & b", 0.0, 1.0), Axis::new("\"", 0.0, 1.0));
        chart.mark(0.5, "</svg><script>", 1.0);
        chart.line(&[(0.0, 0.0), (f64::NAN, 0.5), (1.0, 1.0)], "#000");
        let svg = chart.finish();
        assert!(!svg.contains("<script>") && svg.contains("&lt;script&gt;") && svg.contains("a &amp; b"), "{svg}");
        assert_eq!(svg.matches("</svg>").count(), 1);
    }
}
