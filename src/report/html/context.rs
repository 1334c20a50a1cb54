//! The build context as a treemap: area is bytes, shade and figure how often something in it changes.
//!
//! Goes in: the opened tree of the context. Comes out: an SVG and the same as a table. Squarified layout, linear in the nodes but for sorting.
//! Invariant: rectangles lie inside their parent's and do not overlap.

use super::super::detail::{ContextNode, ContextTree, Detail};
use super::super::model::TargetReport;
use super::super::number::{bytes, count, grouped};
use super::safe;
use maud::{Markup, html};

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 460.0;
/// Height of a folder's title.
const TITLE: f64 = 17.0;
/// Rows of the table.
const MOST_ROWS: usize = 40;

/// The section.
pub fn section(done: &[&TargetReport], index: usize, d: &Detail, prefix: &str) -> Markup {
    let t = done[index];
    let tree = &d.context;
    let earlier = done[..index].iter().position(|o| {
        let other = o.detail.as_deref();
        other.is_some_and(|o| o.context == *tree && o.builds.len() == d.builds.len())
    });
    let heading = format!("{prefix}context");
    let Some(root) = tree.nodes.first() else {
        return html! {};
    };
    let builds = d.builds.len().saturating_sub(1);
    html! {
        section aria-labelledby={ (prefix) "name " (heading) } {
            h2 id=(heading) { "The build context" }
            p {
                "What the builder may be sent: " (count(root.files, "file")) ", " (bytes(root.bytes)) " in " @if t.context.is_empty() || t.context == "." { "the root of the repository" } @else { code { (safe::text(&t.context)) } }
                ", without what the ignore file leaves out. The larger an area, the more bytes; the darker, the more of the " (grouped(builds))
                " commits changed something in it. Large and dark areas are what to keep away from expensive steps."
            }
            @if tree.git {
                p { b { code { ".git" } " is in the context too" } ", as in any checkout where nothing ignores it: it differs in every build. Its size is not known here." }
            }
            @if let Some(same) = earlier {
                p { "It is the " a href={ "#t" (same) "-context" } { "context of " (safe::short(&done[same].file, 60)) } "." }
            } @else if root.bytes > 0 {
                (levels(builds))
                div.scroll tabindex="0" role="group" aria-label="Treemap of the build context" { (map(tree, builds)) }
                details { summary { "As a table" } (table(tree)) }
            }
        }
    }
}

/// How often, in five steps.
fn level(builds: usize, of: usize) -> usize {
    let share = builds as f64 / of.max(1) as f64;
    [0.0, 0.02, 0.10, 0.30]
        .iter()
        .filter(|l| share > **l)
        .count()
}

fn levels(builds: usize) -> Markup {
    const WORDS: [&str; 5] = ["never", "up to 2 %", "up to 10 %", "up to 30 %", "more"];
    html! {
        @if builds > 0 {
            p.legend {
                "changed in "
                @for (i, w) in WORDS.iter().enumerate() { span { svg.key viewBox="0 0 10 10" aria-hidden="true" focusable="false" { rect.{ "c" (i) } width="10" height="10" {} } " " (w) } }
                " of the commits; the figure behind a size says in how many"
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Area {
    x: f64,
    y: f64,
    w: f64,
    h: f64,
}

fn map(tree: &ContextTree, builds: usize) -> Markup {
    let mut areas: Vec<Option<Area>> = vec![None; tree.nodes.len()];
    areas[0] = Some(Area {
        x: 0.0,
        y: 0.0,
        w: WIDTH,
        h: HEIGHT,
    });
    for i in 0..tree.nodes.len() {
        let Some(area) = areas[i].filter(|_| tree.nodes[i].open) else {
            continue;
        };
        let children: Vec<usize> = (i + 1..tree.nodes.len())
            .filter(|c| tree.nodes[*c].parent == i && tree.nodes[*c].bytes > 0)
            .collect();
        let inner = if i == 0 { area } else { inside(area) };
        let weights: Vec<f64> = children
            .iter()
            .map(|c| tree.nodes[*c].bytes as f64)
            .collect();
        for (child, area) in children.iter().zip(squarify(&weights, inner)) {
            areas[*child] = Some(area);
        }
    }
    html! {
        svg.treemap viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label="Files and folders of the context by size; the table below has the same" {
            @for (n, area) in tree.nodes.iter().zip(&areas).skip(1) {
                @if let Some(a) = area { @if a.w >= 1.0 && a.h >= 1.0 { (one(n, *a, builds)) } }
            }
        }
    }
}

/// The room for a folder's children.
fn inside(a: Area) -> Area {
    let title = if has_title(a) { TITLE } else { 2.0 };
    Area {
        x: a.x + 2.0,
        y: a.y + title,
        w: (a.w - 4.0).max(0.0),
        h: (a.h - title - 2.0).max(0.0),
    }
}

fn has_title(a: Area) -> bool {
    a.w > 60.0 && a.h > 40.0
}

fn one(n: &ContextNode, a: Area, builds: usize) -> Markup {
    let full = format!(
        "{}: {}, {}, changed in {}",
        n.path,
        bytes(n.bytes),
        count(n.files, "file"),
        count(n.builds, "build")
    );
    let inner = n.path.trim_end_matches('/');
    let name = &n.path[inner.rfind('/').map_or(0, |i| i + 1)..];
    let name = if name == "…" { "(others)" } else { name };
    let figure = format!("{} · {}×", bytes(n.bytes), n.builds);
    // A character of this size is about so wide.
    let room = (a.w / 6.6) as usize;
    let show = if n.open {
        has_title(a)
    } else {
        a.w > 40.0 && a.h > 18.0
    };
    let class = if n.open {
        "folder".to_owned()
    } else {
        format!("c{}", level(n.builds, builds))
    };
    html! {
        g {
            title { (safe::text(&full)) }
            rect.(class) x=(fixed(a.x)) y=(fixed(a.y)) width=(fixed((a.w - 1.0).max(0.5))) height=(fixed((a.h - 1.0).max(0.5))) {}
            @if show && room > 4 {
                @if n.open {
                    text.(class) x=(fixed(a.x + 4.0)) y=(fixed(a.y + 12.5)) { (safe::short(&format!("{name} {figure}"), room.saturating_sub(1))) }
                } @else {
                    text.(class) x=(fixed(a.x + 4.0)) y=(fixed(a.y + 13.5)) { (safe::short(name, room.saturating_sub(1))) }
                    @if a.h > 34.0 && figure.chars().count() < room { text.(class) x=(fixed(a.x + 4.0)) y=(fixed(a.y + 27.5)) { (figure) } }
                }
            }
        }
    }
}

fn fixed(n: f64) -> String {
    format!("{n:.1}")
}

/// Rectangles of these weights that fill an area, as near to squares as rows allow (Bruls, Huizing, van Wijk 2000). Weights fall.
fn squarify(weights: &[f64], mut area: Area) -> Vec<Area> {
    let total: f64 = weights.iter().sum();
    if total <= 0.0 || area.w <= 0.0 || area.h <= 0.0 {
        return vec![
            Area {
                w: 0.0,
                h: 0.0,
                ..area
            };
            weights.len()
        ];
    }
    let scale = area.w * area.h / total;
    let sizes: Vec<f64> = weights.iter().map(|w| w * scale).collect();
    let mut out = Vec::with_capacity(sizes.len());
    let mut start = 0;
    while start < sizes.len() {
        let side = area.w.min(area.h).max(1e-9);
        let mut end = start + 1;
        while end < sizes.len()
            && worst(&sizes[start..=end], side) <= worst(&sizes[start..end], side)
        {
            end += 1;
        }
        let row: f64 = sizes[start..end].iter().sum();
        let thick = row / side;
        let mut along = 0.0;
        for size in &sizes[start..end] {
            let length = size / thick.max(1e-9);
            out.push(match area.w >= area.h {
                true => Area {
                    x: area.x,
                    y: area.y + along,
                    w: thick,
                    h: length,
                },
                false => Area {
                    x: area.x + along,
                    y: area.y,
                    w: length,
                    h: thick,
                },
            });
            along += length;
        }
        match area.w >= area.h {
            true => {
                area = Area {
                    x: area.x + thick,
                    w: (area.w - thick).max(0.0),
                    ..area
                }
            }
            false => {
                area = Area {
                    y: area.y + thick,
                    h: (area.h - thick).max(0.0),
                    ..area
                }
            }
        }
        start = end;
    }
    out
}

/// The longest side by the shortest, of the worst rectangle in a row.
fn worst(row: &[f64], side: f64) -> f64 {
    let sum: f64 = row.iter().sum();
    let (mut least, mut most) = (f64::MAX, 0.0f64);
    for s in row {
        least = least.min(*s);
        most = most.max(*s);
    }
    let (s2, w2) = (sum * sum, side * side);
    (w2 * most / s2).max(s2 / (w2 * least.max(1e-9)))
}

fn table(tree: &ContextTree) -> Markup {
    let mut rows: Vec<&ContextNode> = tree.nodes.iter().skip(1).collect();
    rows.sort_by(|a, b| b.bytes.cmp(&a.bytes).then(a.path.cmp(&b.path)));
    html! {
        div.scroll tabindex="0" role="group" aria-label="Table of the build context" {
            table {
                caption { "The largest files and folders of the context; a folder's figures are those of all below it" }
                thead { tr { th scope="col" { "path" } th.num scope="col" { "size" } th.num scope="col" { "files" } th.num scope="col" { "changed in builds" } } }
                tbody {
                    @for n in rows.iter().take(MOST_ROWS) {
                        tr { th scope="row" { code { (safe::short(&n.path, 100)) } } td.num { (bytes(n.bytes)) } td.num { (grouped(n.files)) } td.num { (grouped(n.builds)) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn areas_fill_their_room(weights in prop::collection::vec(1.0f64..1e9, 1..40)) {
            let mut weights = weights;
            weights.sort_by(|a, b| b.total_cmp(a));
            let room = Area { x: 10.0, y: 20.0, w: 300.0, h: 100.0 };
            let areas = squarify(&weights, room);
            prop_assert_eq!(areas.len(), weights.len());
            let sum: f64 = areas.iter().map(|a| a.w * a.h).sum();
            prop_assert!((sum - 30_000.0).abs() < 1.0);
            for a in &areas {
                prop_assert!(a.x >= 9.99 && a.y >= 19.99 && a.x + a.w <= 310.01 && a.y + a.h <= 120.01);
            }
        }
    }

    #[test]
    fn shares_have_levels() {
        assert_eq!(
            [0, 1, 2, 5, 20, 50].map(|n| level(n, 100)),
            [0, 1, 1, 2, 3, 4]
        );
    }
}
