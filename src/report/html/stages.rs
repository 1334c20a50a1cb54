//! The stages as a graph: who stands on whom, who takes files from whom.
//!
//! Goes in: stages and edges. Comes out: an SVG in layers from left to right, and the same as a table. A node's layer is the longest way to
//! it; orders in a layer follow the mean place of neighbours, in a fixed number of sweeps. Invariant: every edge leads to the right.

use super::super::detail::Detail;
use super::super::model::TargetReport;
use super::super::number::count;
use super::safe;
use super::safe::{percent, seconds};
use maud::{Markup, html};
use std::collections::BTreeMap;

const BOX_W: f64 = 178.0;
const BOX_H: f64 = 52.0;
const GAP_X: f64 = 52.0;
const GAP_Y: f64 = 20.0;
const SWEEPS: usize = 6;

/// A box of the graph.
struct Node {
    title: String,
    below: String,
    /// Share of the work.
    share: f64,
    image: bool,
    target: bool,
    /// A place that a long edge goes through, not a box.
    bend: bool,
    layer: usize,
    place: f64,
}

impl Node {
    fn new(title: String, below: String) -> Self {
        Self {
            title,
            below,
            share: 0.0,
            image: false,
            target: false,
            bend: false,
            layer: 0,
            place: 0.0,
        }
    }
}

/// The section.
pub fn section(t: &TargetReport, d: &Detail, prefix: &str) -> Markup {
    let heading = format!("{prefix}stages");
    let unused = d.stages.iter().filter(|s| !s.reachable).count();
    let (nodes, edges) = graph(t, d);
    if nodes.len() < 2 {
        return html! {};
    }
    html! {
        section aria-labelledby={ (prefix) "name " (heading) } {
            h2 id=(heading) { "Stages" }
            p {
                "A full line: the stage starts from it. A dashed line: it takes files from it. Seconds are mean work of a build."
                @if unused > 0 { " " (count(unused, "stage")) " of the file " @if unused == 1 { "is" } @else { "are" } " not needed for this target and not shown." }
            }
            div.scroll tabindex="0" role="group" aria-label="Stage graph" { (drawing(&nodes, &edges)) }
            details { summary { "As a table" } (table(t, d, prefix)) }
        }
    }
}

/// Name of a stage.
fn name(d: &Detail, stage: usize) -> String {
    let s = &d.stages[stage];
    s.name.clone().unwrap_or_else(|| match stage == d.target {
        true => "the image".to_owned(),
        false => format!("stage {stage}"),
    })
}

/// Seconds a build in a stage, and its steps.
fn work(t: &TargetReport, d: &Detail, stage: usize) -> (f64, usize) {
    let steps = (0..d.steps.len().min(t.steps.len())).filter(|i| d.steps[*i].stage == stage);
    let list: Vec<f64> = steps.map(|i| t.steps[i].work_s_per_build).collect();
    (list.iter().sum::<f64>() + 0.0, list.len())
}

/// From, to, whether it is the base.
type Edge = (usize, usize, bool);

fn graph(t: &TargetReport, d: &Detail) -> (Vec<Node>, Vec<Way>) {
    let mut nodes: Vec<Node> = Vec::new();
    let mut at: BTreeMap<usize, usize> = BTreeMap::new();
    let mut images: BTreeMap<&str, usize> = BTreeMap::new();
    let mut edges: Vec<Edge> = Vec::new();
    let all = t.baseline.work_s_per_build;
    for (i, s) in d.stages.iter().enumerate().filter(|(_, s)| s.reachable) {
        let (seconds_a_build, steps) = work(t, d, i);
        let image = s.image.as_deref().map(|image| {
            *images.entry(image).or_insert_with(|| {
                nodes.push(Node {
                    image: true,
                    ..Node::new(image.to_owned(), "base image".to_owned())
                });
                nodes.len() - 1
            })
        });
        let below = format!("{}, {}", count(steps, "step"), seconds(seconds_a_build));
        nodes.push(Node {
            share: if all > 0.0 {
                seconds_a_build / all
            } else {
                0.0
            },
            target: i == d.target,
            ..Node::new(name(d, i), below)
        });
        at.insert(i, nodes.len() - 1);
        edges.extend(image.map(|from| (from, nodes.len() - 1, true)));
    }
    for e in &d.edges {
        if let (Some(from), Some(to)) = (at.get(&e.from), at.get(&e.to)) {
            edges.push((*from, *to, e.base));
        }
    }
    let ways = lay_out(&mut nodes, &edges);
    (nodes, ways)
}

/// Gives every node its place; edges come back with the nodes that they go through.
fn lay_out(nodes: &mut Vec<Node>, edges: &[Edge]) -> Vec<Way> {
    layers(nodes, edges);
    let ways = ways(nodes, edges);
    let steps: Vec<Edge> = ways
        .iter()
        .flat_map(|w| w.through.windows(2).map(|p| (p[0], p[1], w.base)))
        .collect();
    order(nodes, &steps);
    ways
}

/// An edge with the places that it goes through, its ends among them.
struct Way {
    through: Vec<usize>,
    base: bool,
}

/// Edges over several layers get a place in each of them, so that they pass no box behind its back.
fn ways(nodes: &mut Vec<Node>, edges: &[Edge]) -> Vec<Way> {
    let mut out = Vec::new();
    for (from, to, base) in edges {
        let mut through = vec![*from];
        for layer in nodes[*from].layer + 1..nodes[*to].layer {
            nodes.push(Node {
                bend: true,
                layer,
                ..Node::new(String::new(), String::new())
            });
            through.push(nodes.len() - 1);
        }
        through.push(*to);
        out.push(Way {
            through,
            base: *base,
        });
    }
    out
}

/// The longest way to each node.
fn layers(nodes: &mut [Node], edges: &[Edge]) {
    // Stages only need earlier ones, so as many rounds as there are nodes are enough.
    for _ in 0..nodes.len() {
        let mut still = true;
        for (from, to, _) in edges {
            let least = nodes[*from].layer + 1;
            if nodes[*to].layer < least && least < nodes.len() {
                nodes[*to].layer = least;
                still = false;
            }
        }
        if still {
            break;
        }
    }
    // An image stands right before what starts from it.
    for i in 0..nodes.len() {
        if nodes[i].image {
            let users = edges.iter().filter(|e| e.0 == i).map(|e| nodes[e.1].layer);
            nodes[i].layer = users.min().map_or(0, |l| l.saturating_sub(1));
        }
    }
}

fn order(nodes: &mut [Node], edges: &[Edge]) {
    let layers = nodes.iter().map(|n| n.layer).max().unwrap_or(0) + 1;
    let mut order: Vec<Vec<usize>> = vec![Vec::new(); layers];
    for (i, n) in nodes.iter().enumerate() {
        order[n.layer].push(i);
    }
    settle(nodes, &order);
    for sweep in 0..SWEEPS {
        for layer in 0..layers {
            let layer = if sweep % 2 == 0 {
                layer
            } else {
                layers - 1 - layer
            };
            let mut list: Vec<(f64, usize)> = order[layer]
                .iter()
                .map(|i| (mean_place(nodes, edges, *i), *i))
                .collect();
            list.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            order[layer] = list.into_iter().map(|(_, i)| i).collect();
            settle(nodes, &order);
        }
    }
}

/// Places in the middle of each layer.
fn settle(nodes: &mut [Node], order: &[Vec<usize>]) {
    for list in order {
        for (k, i) in list.iter().enumerate() {
            nodes[*i].place = k as f64 - (list.len() as f64 - 1.0) / 2.0;
        }
    }
}

fn mean_place(nodes: &[Node], edges: &[Edge], i: usize) -> f64 {
    let around = edges.iter().filter_map(|(a, b, _)| match i {
        _ if *a == i => Some(nodes[*b].place),
        _ if *b == i => Some(nodes[*a].place),
        _ => None,
    });
    let list: Vec<f64> = around.collect();
    match list.is_empty() {
        true => nodes[i].place,
        false => list.iter().sum::<f64>() / list.len() as f64,
    }
}

fn drawing(nodes: &[Node], ways: &[Way]) -> Markup {
    let layers = nodes.iter().map(|n| n.layer).max().unwrap_or(0) + 1;
    let top = nodes.iter().map(|n| n.place).fold(0.0, f64::min);
    let bottom = nodes.iter().map(|n| n.place).fold(0.0, f64::max);
    let width = layers as f64 * (BOX_W + GAP_X) - GAP_X + 4.0;
    let height = (bottom - top) * (BOX_H + GAP_Y) + BOX_H + 4.0;
    let x = |n: &Node| 2.0 + n.layer as f64 * (BOX_W + GAP_X);
    let y = |n: &Node| 2.0 + (n.place - top) * (BOX_H + GAP_Y);
    html! {
        svg.stages width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) } role="img" aria-label="Stages and what they need; the table below has the same" {
            @for w in ways {
                @let last = w.through.last().map_or(&nodes[0], |i| &nodes[*i]);
                path.edge.files[!w.base] d=(line(nodes, w, &x, &y)) {}
                path.arrow d={ "M" (x(last)) " " (y(last) + BOX_H / 2.0) "l-7 -4v8z" } {}
            }
            @for n in nodes.iter().filter(|n| !n.bend) {
                g .box .image[n.image] .goal[n.target] {
                    title { (safe::text(&format!("{}: {}", n.title, n.below))) }
                    rect x=(x(n)) y=(y(n)) width=(BOX_W) height=(BOX_H) rx="5" {}
                    @if n.share > 0.0 { rect.share x=(x(n) + 1.0) y=(y(n) + BOX_H - 5.0) width={ (format!("{:.1}", (BOX_W - 2.0) * n.share.min(1.0))) } height="4" {} }
                    text x=(x(n) + 10.0) y=(y(n) + 20.0) { (safe::short(&n.title, 23)) }
                    text.below x=(x(n) + 10.0) y=(y(n) + 38.0) { (n.below) }
                }
            }
        }
    }
}

/// A way as a curve.
fn line(nodes: &[Node], way: &Way, x: &dyn Fn(&Node) -> f64, y: &dyn Fn(&Node) -> f64) -> String {
    let mut out = String::new();
    for pair in way.through.windows(2) {
        let (from, to) = (&nodes[pair[0]], &nodes[pair[1]]);
        let (x0, x1) = (x(from) + BOX_W, x(to));
        let (y0, y1) = (y(from) + BOX_H / 2.0, y(to) + BOX_H / 2.0);
        let middle = (x0 + x1) / 2.0;
        if out.is_empty() {
            out.push_str(&format!("M{x0} {y0}"));
        }
        out.push_str(&format!("C{middle} {y0} {middle} {y1} {x1} {y1}"));
        if to.bend {
            out.push_str(&format!("H{}", x1 + BOX_W));
        }
    }
    out
}

fn table(t: &TargetReport, d: &Detail, prefix: &str) -> Markup {
    let all = t.baseline.work_s_per_build;
    html! {
        div.scroll tabindex="0" role="group" aria-label="Table of stages" {
            table {
                caption { "Stages that the target needs" }
                thead { tr {
                    th scope="col" { "stage" } th scope="col" { "starts from" } th scope="col" { "takes files from" }
                    th.num scope="col" { "steps" } th.num scope="col" { "work per build" } th.num scope="col" { "share" }
                } }
                tbody {
                    @for (i, s) in d.stages.iter().enumerate().filter(|(_, s)| s.reachable) {
                        @let (seconds_a_build, steps) = work(t, d, i);
                        @let of = |base: bool| d.edges.iter().filter(|e| e.to == i && e.base == base).map(|e| name(d, e.from)).collect::<Vec<_>>().join(", ");
                        tr {
                            th scope="row" { a href={ "#" (prefix) "L" (s.line) } { (safe::short(&name(d, i), 40)) } }
                            td { (safe::short(&s.image.clone().unwrap_or_else(|| of(true)), 60)) }
                            td { (safe::short(&of(false), 120)) }
                            td.num { (steps) } td.num { (seconds(seconds_a_build)) }
                            td.num { @if all > 0.0 { (percent(seconds_a_build / all)) } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(image: bool) -> Node {
        Node {
            image,
            ..Node::new(String::new(), String::new())
        }
    }

    #[test]
    fn edges_lead_to_the_right() {
        let mut nodes = vec![
            node(true),
            node(false),
            node(false),
            node(true),
            node(false),
        ];
        let edges = [
            (0, 1, true),
            (1, 2, true),
            (3, 4, true),
            (2, 4, false),
            (1, 4, false),
        ];
        let ways = lay_out(&mut nodes, &edges);
        assert!(
            edges
                .iter()
                .all(|(a, b, _)| nodes[*a].layer < nodes[*b].layer)
        );
        let layers: Vec<usize> = nodes.iter().map(|n| n.layer).collect();
        assert_eq!(layers, [0, 1, 2, 2, 3, 2]);
        // The last one spans a layer in which it has a place of its own.
        assert_eq!(ways[4].through, [1, 5, 4]);
        let places: Vec<f64> = nodes
            .iter()
            .filter(|n| n.layer == 2)
            .map(|n| n.place)
            .collect();
        assert!(
            places
                .iter()
                .all(|p| places.iter().filter(|q| *q == p).count() == 1)
        );
    }
}
