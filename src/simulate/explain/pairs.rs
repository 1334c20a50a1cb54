//! Which step of one plan another one was before.

use crate::plan::{Plan, Step};
use rustc_hash::FxHashMap;

/// Stages with more steps than this are paired by their place alone.
const MOST_COMPARED: usize = 1000;

/// For every step of the new plan's order the position in the old plan's order of what it was: equal
/// instructions first, in order, and what stands in the same gap between those, kind by kind.
pub fn pairs(old: &Plan, new: &Plan) -> Vec<Option<usize>> {
    let mut out = vec![None; new.order.len()];
    if std::ptr::eq(old, new) {
        return (0..new.order.len()).map(Some).collect();
    }
    let old_steps = by_stage(old);
    for (stage, steps) in by_stage(new) {
        let name = &new.stages[stage].name;
        let named = old
            .stages
            .iter()
            .position(|s| name.is_some() && s.name == *name);
        let placed = old.stages.get(stage).map(|_| stage);
        let twin = named.or(placed.filter(|s| old.stages[*s].name.is_none() || name.is_none()));
        let Some(before) = twin.and_then(|s| old_steps.get(&s)) else {
            continue;
        };
        align(old, before, new, &steps, &mut out);
    }
    out
}

/// Positions in the order, by stage.
fn by_stage(plan: &Plan) -> FxHashMap<usize, Vec<usize>> {
    let mut out: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    for (position, node) in plan.order.iter().enumerate() {
        let stage = usize::from(plan.graph[*node].id.stage);
        out.entry(stage).or_default().push(position);
    }
    out
}

fn align(old: &Plan, before: &[usize], new: &Plan, after: &[usize], out: &mut [Option<usize>]) {
    let old_step = |i: usize| &old.graph[old.order[before[i]]];
    let new_step = |i: usize| &new.graph[new.order[after[i]]];
    let same = |a: &Step, b: &Step| a.kind == b.kind && a.parts.instruction == b.parts.instruction;
    let mut anchors = vec![(before.len(), after.len())];
    let (n, m) = (before.len(), after.len());
    if n.max(m) <= MOST_COMPARED {
        // Longest common subsequence, from the back so that reading goes forward.
        let mut length = vec![vec![0u32; m + 1]; n + 1];
        for i in (0..n).rev() {
            for j in (0..m).rev() {
                length[i][j] = match same(old_step(i), new_step(j)) {
                    true => length[i + 1][j + 1] + 1,
                    false => length[i + 1][j].max(length[i][j + 1]),
                };
            }
        }
        anchors.clear();
        let (mut i, mut j) = (0, 0);
        while i < n && j < m {
            if same(old_step(i), new_step(j)) {
                anchors.push((i, j));
                out[after[j]] = Some(before[i]);
                i += 1;
                j += 1;
            } else if length[i + 1][j] >= length[i][j + 1] {
                i += 1;
            } else {
                j += 1;
            }
        }
        anchors.push((n, m));
    }
    let (mut i, mut j) = (0, 0);
    for (end_i, end_j) in anchors {
        for b in j..end_j {
            let kind = new_step(b).kind;
            let found = (i..end_i).find(|a| old_step(*a).kind == kind);
            if let Some(a) = found {
                out[after[b]] = Some(before[a]);
                i = a + 1;
            }
        }
        (i, j) = (end_i + 1, end_j + 1);
    }
}
