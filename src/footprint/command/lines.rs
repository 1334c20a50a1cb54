//! Tables of lines for the tests of single tools.
//!
//! Goes in: scripts and what they touch. Comes out: nothing, or a failed test.

use crate::footprint::{Extent, PathClaim, PathSet, RunState, of_script};

/// Script, part of the reason (empty: not opaque), reads it must have with `net` among them where
/// it uses the network, and all its writes with `tmp` for `/tmp` and `/var/tmp`.
pub(super) type Line = (&'static str, &'static str, &'static str, &'static str);

fn shown(set: &PathSet) -> Vec<String> {
    let one = |c: &PathClaim| match c.extent {
        Extent::Exact => c.path.clone(),
        Extent::Subtree => format!("{}/**", c.path),
    };
    set.claims.iter().map(one).collect()
}

fn claim(text: &str) -> PathClaim {
    match text.strip_suffix("/**") {
        Some("") => PathClaim::subtree("/"),
        Some(top) => PathClaim::subtree(top),
        None => PathClaim::exact(text),
    }
}

/// Compares; the working directory is `/app`, the user root.
pub(super) fn check(lines: &[Line]) {
    let state = RunState {
        cwd: Some("/app".to_string()),
        user: None,
        vars: Vec::new(),
        homes: Vec::new(),
    };
    for (script, reason, reads, writes) in lines {
        let f = of_script(script, &state);
        let opaque = f.opaque.clone().unwrap_or_default();
        assert_eq!(
            reason.is_empty(),
            f.opaque.is_none(),
            "{script}: `{opaque}`"
        );
        assert!(opaque.contains(reason), "{script}: `{opaque}`");
        if !reason.is_empty() {
            continue;
        }
        let net = reads.split_whitespace().any(|r| r == "net");
        assert_eq!(f.network, net, "network of {script}");
        for read in reads.split_whitespace().filter(|r| *r != "net") {
            let wanted = claim(read);
            let found = f.reads.claims.iter().any(|c| c.covers(&wanted));
            assert!(found, "{script}: {read} in {:?}", shown(&f.reads));
        }
        let mut wanted: Vec<PathClaim> = Vec::new();
        for write in writes.split_whitespace() {
            match write {
                "tmp" => wanted.extend(["/tmp/**", "/var/tmp/**"].map(claim)),
                "SYSTEM" => wanted.extend(
                    crate::footprint::SYSTEM_WRITES
                        .iter()
                        .map(|w| PathClaim::subtree(*w)),
                ),
                _ => wanted.push(claim(write)),
            }
        }
        assert_eq!(
            shown(&f.changes()),
            shown(&PathSet::new(wanted)),
            "writes of {script}"
        );
    }
}
