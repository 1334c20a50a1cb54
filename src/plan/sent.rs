//! What of the context the client is asked to send, where a step's own sources do not say it.
//!
//! Goes in: a plan whose steps are in order. Comes out: [`ContextInput::beside`] and
//! [`ContextInput::whole`]. Costs one pass. Invariant: only steps that the target needs count.

use super::{ContextInput, Input, Plan};

/// Notes it at every input. All sources of a build are one request to the client.
pub fn note(plan: &mut Plan) {
    let whole = plan.whole_context().is_some();
    let mut sources: Vec<String> = inputs(plan).flat_map(|c| c.sources.clone()).collect();
    sources.sort();
    sources.dedup();
    for node in plan.order.clone() {
        for input in &mut plan.graph[node].inputs {
            let Input::Context(input) = input else {
                continue;
            };
            input.whole = whole;
            if !whole && !input.literal && input.sources.iter().any(|s| has_wild_folder(s)) {
                input.beside.clone_from(&sources);
            }
        }
    }
}

fn inputs(plan: &Plan) -> impl Iterator<Item = &ContextInput> {
    let steps = plan.order.iter().map(|n| &plan.graph[*n]);
    steps.flat_map(|s| &s.inputs).filter_map(|i| match i {
        Input::Context(c) => Some(c),
        _ => None,
    })
}

/// The client follows a link that a wildcard matches only in the folder that is named before it.
fn has_wild_folder(source: &str) -> bool {
    let folder = source.trim_end_matches('/').rsplit_once('/');
    folder.is_some_and(|(folder, _)| folder.contains(['*', '?', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::parse;
    use crate::plan::{BuildOptions, lower};
    use crate::source::SourceFile;

    fn noted(text: &str) -> Vec<(usize, bool)> {
        let parsed = parse(&SourceFile::new("Dockerfile", text));
        let plan = lower(&parsed.tree, &BuildOptions::default());
        inputs(&plan).map(|c| (c.beside.len(), c.whole)).collect()
    }

    #[test]
    fn sources_of_the_build_stand_beside_a_wildcard_folder() {
        let two = "FROM a\nCOPY d*/* /x/\nCOPY f /y/\n";
        assert_eq!(noted(two), [(2, false), (0, false)]);
        assert_eq!(noted(&format!("{two}COPY . /z\n"))[0], (0, true));
        let tmpfs = format!("{two}RUN --mount=type=tmpfs,target=/t true\n");
        assert_eq!(noted(&tmpfs), [(0, true), (0, true)]);
        let secret = format!("{two}RUN --mount=type=secret,id=s true\n");
        assert_eq!(noted(&secret), [(2, false), (0, false)]);
        let elsewhere = format!("FROM b AS n\nRUN --mount=type=tmpfs,target=/t true\n{two}");
        assert_eq!(noted(&elsewhere), [(2, false), (0, false)]);
    }
}
