//! A script of the project that a build is started through.
//!
//! Goes in: its path. Comes out: that it is read. Invariant: it sets variables, prints, and starts what it is given; anything
//! else is a reason.

use super::super::{Needs, Project, text};
use crate::shell;

/// A script that sets variables and then starts the command it is given.
///
/// # Errors
/// It may do anything else.
pub(in super::super) fn wrapper(
    script: &str,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    let source = text(project, script)?;
    let odd = || format!("{script} does more than to start what it is given");
    let tree = shell::parse(&source);
    let first = source.lines().next().unwrap_or_default();
    if tree.has_unknown() || !first.starts_with("#!") || !first.trim_end().ends_with("sh") {
        return Err(odd());
    }
    let mut plain = true;
    let mut last = (0, String::new());
    let shown = |c: &shell::Command| source.get(c.span.range()).unwrap_or_default().to_owned();
    tree.visit(&mut |c| match &c.kind {
        shell::CommandKind::Simple(simple) => {
            const HARMLESS: [&str; 11] = [
                "echo", "printf", "read", "export", "unset", "set", "[", "[[", "test", "true", ":",
            ];
            let name = simple.words.first().and_then(shell::Word::literal);
            let text = shown(c);
            let starts = matches!(text.trim(), "exec \"$@\"" | "\"$@\"");
            let known =
                simple.words.is_empty() || name.is_some_and(|n| HARMLESS.contains(&n.as_str()));
            let writes = |r: &shell::Redirect| {
                use shell::RedirectOperator as Operator;
                let quiet = matches!(r.target.literal().as_deref(), Some("/dev/null" | "1" | "2"));
                let reads = matches!(
                    r.operator,
                    Operator::Read | Operator::HereDocument | Operator::HereString
                );
                let secret = r
                    .target
                    .literal()
                    .is_some_and(|t| t.starts_with("/run/secrets/"));
                !(quiet || reads && secret)
            };
            plain &= (known || starts) && !c.redirects.iter().any(writes);
            if c.span.start >= last.0 {
                last = (c.span.start, text);
            }
        }
        shell::CommandKind::Function { .. } => plain = false,
        _ => {}
    });
    if !plain || !last.1.contains("\"$@\"") {
        return Err(odd());
    }
    needs.read(script.to_owned());
    needs.assume(format!("nothing that is run before changes {script}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::{Memory, Needs};
    use super::wrapper;

    fn reads(script: &str) -> Result<usize, String> {
        let mut needs = Needs::default();
        wrapper(
            "/tmp/w.sh",
            &Memory::of(&[("/tmp/w.sh", script)]),
            &mut needs,
        )?;
        Ok(needs.reads.len())
    }

    #[test]
    fn scripts_that_only_set_variables_are_told_from_others() {
        for script in [
            "#!/bin/sh\nexec \"$@\"\n",
            "#!/bin/sh\nset -eu\nif [ -f /run/secrets/x ]; then\n  IFS= read -r X < /run/secrets/x || true\nfi\n\
             if [ -z \"${X:-}\" ]; then X=y; echo none; fi\nexport X\necho \"$([ -n \"$X\" ] && printf a || printf b)\"\n\
             exec \"$@\"\n",
        ] {
            assert_eq!(reads(script), Ok(1), "{script}");
        }
        for script in [
            "exec \"$@\"\n",
            "#!/usr/bin/python3\nexec(\"$@\")\n",
            "#!/bin/sh\necho x\n",
            "#!/bin/sh\ncd /x\nexec \"$@\"\n",
            "#!/bin/sh\ncp a b\nexec \"$@\"\n",
            "#!/bin/sh\necho x > /app/a\nexec \"$@\"\n",
            "#!/bin/sh\nread -r X < /app/a\nexec \"$@\"\n",
            "#!/bin/sh\n. /app/env\nexec \"$@\"\n",
            "#!/bin/sh\nexec env \"$@\"\n",
            "#!/bin/sh\nf() { :; }\nexec \"$@\"\n",
        ] {
            assert!(reads(script).is_err(), "{script}");
        }
    }
}
