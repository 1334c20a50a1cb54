use super::comparison as page;
use crate::report::model::Comparison;
use crate::report::sample;
use html5ever::tendril::TendrilSink as _;
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A page, read: no error of the parser is let pass.
struct Read {
    /// Names of elements in order, with attributes and the text inside.
    elements: Vec<(String, BTreeMap<String, String>, String)>,
}

fn text_of(node: &Handle) -> String {
    let mut out = String::new();
    if let NodeData::Text { contents } = &node.data {
        out.push_str(&contents.borrow());
    }
    for child in node.children.borrow().iter() {
        out.push_str(&text_of(child));
    }
    out
}

fn walk(node: &Handle, out: &mut Read) {
    if let NodeData::Element { name, attrs, .. } = &node.data {
        let attributes = attrs.borrow();
        let pair = |a: &html5ever::Attribute| (a.name.local.to_string(), a.value.to_string());
        let attributes = attributes.iter().map(pair).collect();
        out.elements
            .push((name.local.to_string(), attributes, text_of(node)));
    }
    for child in node.children.borrow().iter() {
        walk(child, out);
    }
}

fn read(html: &str) -> Read {
    let dom = html5ever::parse_document(RcDom::default(), html5ever::ParseOpts::default())
        .one(html.to_owned());
    assert!(dom.errors.borrow().is_empty(), "{:?}", dom.errors.borrow());
    let mut out = Read {
        elements: Vec::new(),
    };
    walk(&dom.document, &mut out);
    out
}

impl Read {
    fn all(&self, name: &str) -> Vec<&(String, BTreeMap<String, String>, String)> {
        self.elements.iter().filter(|e| e.0 == name).collect()
    }
}

/// Elements that load or run something.
const ACTIVE: [&str; 12] = [
    "script", "link", "img", "iframe", "object", "embed", "base", "form", "a", "audio", "video",
    "image",
];

#[test]
fn a_page_stands_alone_and_can_be_read_aloud() {
    for c in [sample::comparison(), sample::measured_comparison()] {
        let html = page(&c);
        let read = read(&html);
        assert!(ACTIVE.iter().all(|name| read.all(name).is_empty()));
        assert!(
            !html.contains("http://")
                || html.matches("http").count()
                    == html.matches("http://www.w3.org/2000/svg").count()
                        + html.matches("http-equiv").count()
        );
        assert_eq!(read.all("html")[0].1["lang"], "en");
        assert_eq!(read.all("h1").len(), 1);
        assert!(read.all("title")[0].2.contains("2 variants on 499 builds"));
        let tables = read.all("table").len();
        assert_eq!(read.all("caption").len(), tables);
        assert!(read.all("th").iter().all(|t| t.1.contains_key("scope")));
        // The plot has a name, and a table that says the same.
        let plot: Vec<_> = read
            .all("svg")
            .into_iter()
            .filter(|s| s.1.contains_key("role"))
            .collect();
        assert_eq!(plot.len(), 1);
        assert_eq!(plot[0].1["role"], "img");
        let named = &plot[0].1["aria-labelledby"];
        assert!(read.elements.iter().any(|e| e.1.get("id") == Some(named)));
        assert!(
            read.all("caption")
                .iter()
                .any(|c| c.2.contains("The plot in figures"))
        );
        // Both lines end at their sums: 499 · 41 s, and 250 · 41 + 249 · 21 s.
        let text = &read.all("body")[0].2;
        assert!(
            text.contains("341 min") && text.contains("258 min"),
            "{text}"
        );
        assert!(html.contains("prefers-color-scheme:dark") && html.contains("@media print"));
    }
}

#[test]
fn measured_and_modelled_have_columns_of_their_own() {
    let read = read(&page(&sample::measured_comparison()));
    let heads: Vec<&str> = read.all("th").iter().map(|t| t.2.as_str()).collect();
    assert!(heads.contains(&"steps, measured") && heads.contains(&"steps, modelled"));
    let text = &read.all("body")[0].2;
    assert!(
        text.contains("saves 50 % (95 % interval 45 .. 55 %) by steps"),
        "{text}"
    );
    assert!(text.contains("measured on 2 builds (few:"));
    assert!(text.contains("modelled on the same builds: saves 50 %"));
}

/// Every field that a stranger chooses.
fn hostile(value: &str) -> Comparison {
    let mut c = sample::measured_comparison();
    for v in &mut c.variants {
        v.name = value.to_owned();
        v.file = value.to_owned();
        if let Some(m) = &mut v.measured {
            m.per_build[0].failed = Some(value.to_owned());
        }
    }
    let p = &mut c.pairs[0];
    p.a = value.to_owned();
    p.b = value.to_owned();
    for d in &mut p.differing {
        d.summary = value.to_owned();
        d.steps[0].text = value.to_owned();
    }
    c
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn nothing_from_the_repository_becomes_markup(s in "(?s)[<>&\"'/a-c=!\\-\\[:#\r\n\u{202e}\x1b]{0,24}|<script>x</script>|</style><b onclick=x>|\u{2067}a\u{2069}|::error::x|##\\[group\\]") {
        let html = page(&hostile(&s));
        let plain = read(&page(&hostile("x")));
        let read = read(&html);
        let shape = |r: &Read| -> Vec<(String, Vec<String>)> {
            r.elements.iter().map(|e| (e.0.clone(), e.1.keys().cloned().collect())).collect()
        };
        prop_assert_eq!(shape(&read), shape(&plain));
        for one in html.split('\n') {
            let acts = |c: char| c.is_control() || "\u{202e}\u{2067}\u{2069}".contains(c);
            prop_assert!(!one.contains(acts));
            prop_assert!(!one.trim_start().starts_with("::") && !one.contains("##["));
        }
    }
}
