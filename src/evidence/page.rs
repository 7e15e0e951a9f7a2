//! A page as blocks, before it is Markdown or HTML: both say the same, and names are escaped in one place each.

use std::fmt::Write as _;

use super::text::{fenced, markdown, xml};

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#111;background:#fff}\
table{border-collapse:collapse;margin:1em 0;display:block;overflow-x:auto}td,th{border:1px solid #bbb;padding:.25em .6em;\
text-align:left;vertical-align:top}th{background:#eee}pre{background:#f4f4f4;padding:.8em;overflow-x:auto;font-size:13px}\
.notice{border-left:5px solid #b00;background:#fdf2f2;padding:.6em 1em}figure{margin:1em 0}figcaption{color:#444}\
svg{max-width:640px;width:100%;height:auto}td{overflow-wrap:break-word;max-width:32em}";

/// A part of a page. Text is plain.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Block {
    /// Of a level from 1.
    Heading(u8, String),
    Paragraph(String),
    /// What nobody should read past.
    Notice(String),
    List(Vec<String>),
    /// Column names and rows.
    Table(Vec<&'static str>, Vec<Vec<String>>),
    Figure(Figure),
    /// Text as it stands in a file.
    Verbatim(String),
}

/// A chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    /// Its file beside the Markdown, without ending.
    pub(super) name: String,
    pub(super) caption: String,
    pub(super) svg: String,
}

/// The charts of a page.
pub(super) fn figures(blocks: &[Block]) -> impl Iterator<Item = &Figure> {
    blocks.iter().filter_map(|block| if let Block::Figure(figure) = block { Some(figure) } else { None })
}

/// The page in Markdown; charts are files in `plots/`.
pub(super) fn as_markdown(blocks: &[Block]) -> String {
    let mut page = String::new();
    for block in blocks {
        match block {
            Block::Heading(level, text) => page.extend(["#".repeat(usize::from(*level)), " ".into(), markdown(text)]),
            Block::Paragraph(text) => page.push_str(&markdown(text)),
            Block::Notice(text) => page.extend(["> **".into(), markdown(text), "**".into()]),
            Block::List(items) => page.extend(items.iter().map(|item| format!("- {}\n", markdown(item)))),
            Block::Table(names, rows) => markdown_table(&mut page, names, rows),
            Block::Figure(Figure { name, caption, .. }) => {
                let _ = write!(page, "![{}](plots/{name}.svg)", markdown(caption));
            }
            Block::Verbatim(text) => page.extend(["```\n".into(), fenced(text), "\n```".into()]),
        }
        page.push_str("\n\n");
    }
    page
}

fn markdown_table(page: &mut String, names: &[&'static str], rows: &[Vec<String>]) {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    page.push_str(&line(names.iter().map(|name| markdown(name)).collect()));
    page.push_str(&line(names.iter().map(|_| "---".into()).collect()));
    for row in rows {
        page.push_str(&line(row.iter().map(|cell| markdown(cell)).collect()));
    }
}

/// The page in HTML, whole in one file.
pub(super) fn as_html(title: &str, blocks: &[Block]) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\">\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        xml(title)
    );
    for block in blocks {
        html_block(&mut page, block);
        page.push('\n');
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn html_block(page: &mut String, block: &Block) {
    let row = |cells: &mut dyn Iterator<Item = String>, tag: &str| {
        let cells: String = cells.map(|cell| format!("<{tag}>{cell}</{tag}>")).collect();
        format!("<tr>{cells}</tr>")
    };
    match block {
        Block::Heading(level, text) => page.push_str(&format!("<h{level}>{}</h{level}>", xml(text))),
        Block::Paragraph(text) => page.push_str(&format!("<p>{}</p>", xml(text))),
        Block::Notice(text) => page.push_str(&format!("<p class=\"notice\"><strong>{}</strong></p>", xml(text))),
        Block::List(items) => {
            let items: String = items.iter().map(|item| format!("<li>{}</li>", xml(item))).collect();
            page.push_str(&format!("<ul>{items}</ul>"));
        }
        Block::Table(names, rows) => {
            let head = row(&mut names.iter().map(|name| xml(name)), "th");
            let head =
                if names.iter().all(|name| name.is_empty()) { String::new() } else { format!("<thead>{head}</thead>") };
            let rows: String = rows.iter().map(|cells| row(&mut cells.iter().map(|cell| xml(cell)), "td")).collect();
            page.push_str(&format!("<table>{head}<tbody>{rows}</tbody></table>"));
        }
        Block::Figure(Figure { caption, svg, .. }) => {
            page.push_str(&format!("<figure>{svg}<figcaption>{}</figcaption></figure>", xml(caption)));
        }
        Block::Verbatim(text) => {
            let lines: Vec<String> = text.lines().map(xml).collect();
            page.push_str(&format!("<pre>{}</pre>", lines.join("\n")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "<script>alert(1)</script>|`";

    fn everywhere() -> Vec<Block> {
        let text = || EVIL.to_string();
        vec![
            Block::Heading(1, text()),
            Block::Paragraph(text()),
            Block::Notice(text()),
            Block::List(vec![text()]),
            Block::Table(vec!["a", "b"], vec![vec![text(), "c".into()]]),
            Block::Figure(Figure { name: "chart".into(), caption: text(), svg: "<svg></svg>".into() }),
            Block::Verbatim(format!("{EVIL}\nline")),
        ]
    }

    #[test]
    fn a_name_is_text_in_every_kind_of_block() {
        let html = as_html(EVIL, &everywhere());
        assert!(!html.contains("<script"), "{html}");
        assert_eq!(html.matches("&lt;script&gt;").count(), 8);
        let page = as_markdown(&everywhere());
        let outside_fence = page.split("```").next().unwrap();
        assert!(!outside_fence.contains("<script"), "{page}");
    }

    #[test]
    fn a_table_keeps_its_columns_whatever_stands_in_it() {
        let page = as_markdown(&[Block::Table(vec!["a", "b"], vec![vec!["x|y".into(), "z\nw".into()]])]);
        assert_eq!(page, "| a | b |\n| --- | --- |\n| x\\|y | z w |\n\n\n");
    }

    #[test]
    fn charts_are_in_the_html_and_beside_the_markdown() {
        let blocks = everywhere();
        assert!(as_html("t", &blocks).contains("<figure><svg></svg>"));
        assert!(as_markdown(&blocks).contains("](plots/chart.svg)"));
        assert_eq!(figures(&blocks).count(), 1);
    }
}
