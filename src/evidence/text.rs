//! Words from elsewhere (file names, class names, errors) that become part of a page: shown as they are, and nothing more.

/// Characters that turn the direction of the text around them, by which a name can pretend to be another.
const TURNING: [char; 12] = [
    '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}',
    '\u{2068}', '\u{2069}', '\u{061c}',
];

/// With nothing in it that is not seen.
fn visible(text: &str) -> impl Iterator<Item = char> {
    let seen = |character: char| match character {
        '\n' | '\t' => ' ',
        hidden if hidden.is_control() || TURNING.contains(&hidden) => char::REPLACEMENT_CHARACTER,
        character => character,
    };
    text.chars().map(seen)
}

/// For HTML and SVG, between tags and in attributes.
pub(super) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in visible(text) {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped
}

/// For Markdown, in paragraphs, lists and tables of one line each.
pub(super) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in visible(text) {
        match character {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '>' | '#' | '|' | '~' | '!' | '$' => escaped.extend(['\\', character]),
            character => escaped.push(character),
        }
    }
    escaped
}

/// For a fenced block of Markdown: no line of it ends the fence.
pub(super) fn fenced(text: &str) -> String {
    let line = |line: &str| visible(line).collect::<String>().replace("```", "'''");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_is_shown_and_does_nothing() {
        let name = "<img src=x onerror='alert(1)'>&|`*\u{202e}gpj.exe\n# big";
        let html = xml(name);
        assert!(!html.contains(['<', '>', '\'', '\n', '\u{202e}']), "{html}");
        assert!(html.starts_with("&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&amp;|`*\u{fffd}gpj"), "{html}");
        let text = markdown(name);
        assert!(text.starts_with("&lt;img") && text.contains("\\|\\`\\*\u{fffd}") && !text.contains('\n'), "{text}");
        assert_eq!(fenced("a\n```\nb"), "a\n'''\nb");
    }
}
