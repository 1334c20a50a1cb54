//! Patterns that name the members of a workspace: `packages/*`, `apps/**`, `{a,b}/*`, `!packages/old`.
//!
//! Goes in: patterns and folders relative to the top. Comes out: which folders match. Invariant: a character with a
//! meaning that is not known is a reason.

/// Most patterns that braces may stand for.
const MOST: usize = 256;

/// Patterns of a workspace.
#[derive(Clone, Debug, Default)]
pub(super) struct Globs {
    yes: Vec<Vec<String>>,
    no: Vec<Vec<String>>,
}

impl Globs {
    /// Takes patterns; those that start with `!` take folders away again.
    ///
    /// # Errors
    /// One that is not understood.
    pub(super) fn new<T: AsRef<str>>(patterns: &[T]) -> Result<Self, String> {
        let mut out = Self::default();
        for text in patterns.iter().map(AsRef::as_ref) {
            let (list, bare) = match text.strip_prefix('!') {
                Some(rest) => (&mut out.no, rest),
                None if !out.no.is_empty() => {
                    return Err("a workspace pattern follows one with !".to_owned());
                }
                None => (&mut out.yes, text),
            };
            let odd = |c: char| "[]()!+@\\?".contains(c) && !is_name(bare, c);
            if bare.contains(odd) || bare.split('/').any(|p| p == "..") || bare.starts_with('/') {
                return Err(format!("the workspace pattern {text} is not understood"));
            }
            for one in braces(bare)? {
                let parts = one.split('/').filter(|p| !p.is_empty() && *p != ".");
                let parts: Vec<String> = parts.map(str::to_owned).collect();
                if parts.iter().any(|p| p.contains("**") && p != "**") {
                    return Err(format!("the workspace pattern {text} is not understood"));
                }
                list.push(parts);
            }
        }
        Ok(out)
    }

    /// Whether a folder, relative to the top and not empty, is a member.
    pub(super) fn matches(&self, folder: &str) -> bool {
        let parts: Vec<&str> = folder.split('/').collect();
        let hit = |list: &[Vec<String>]| list.iter().any(|p| whole(p, &parts));
        hit(&self.yes) && !hit(&self.no)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.yes.is_empty()
    }

    /// Whether some pattern takes folders away.
    pub(super) fn takes_away(&self) -> bool {
        !self.no.is_empty()
    }
}

/// `@scope` and `c++` are names; before a bracket they are patterns.
fn is_name(pattern: &str, c: char) -> bool {
    matches!(c, '@' | '+') && !pattern.contains('(')
}

/// The patterns that `{a,b}` stands for.
fn braces(pattern: &str) -> Result<Vec<String>, String> {
    let mut done = Vec::new();
    let mut queue = vec![pattern.to_owned()];
    while let Some(text) = queue.pop() {
        if done.len() + queue.len() > MOST {
            return Err(format!("{pattern} stands for too many patterns"));
        }
        // The innermost pair first.
        let Some(end) = text.find('}') else {
            if text.contains('{') {
                return Err(format!("the workspace pattern {pattern} is not understood"));
            }
            done.push(text);
            continue;
        };
        let start = text[..end].rfind('{');
        let start =
            start.ok_or_else(|| format!("the workspace pattern {pattern} is not understood"))?;
        let inside = &text[start + 1..end];
        if !inside.contains(',') || inside.contains("..") {
            return Err(format!("the workspace pattern {pattern} is not understood"));
        }
        for part in inside.split(',') {
            queue.push(format!("{}{part}{}", &text[..start], &text[end + 1..]));
        }
    }
    Ok(done)
}

fn whole(pattern: &[String], parts: &[&str]) -> bool {
    match pattern.split_first() {
        None => parts.is_empty(),
        Some((first, rest)) if first == "**" => {
            (0..=parts.len()).any(|skip| whole(rest, &parts[skip..]))
        }
        Some((first, rest)) => parts
            .split_first()
            .is_some_and(|(part, more)| one(first, part) && whole(rest, more)),
    }
}

/// One name against one part of a pattern.
fn one(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    fits(pattern, name)
}

/// Whether a name fits a pattern, in which a `*` is anything.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else {
        return rest.is_empty();
    };
    for piece in middle {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::Globs;

    #[test]
    fn members_are_found() {
        for (patterns, folder, expected) in [
            ("packages/*", "packages/a", true),
            ("./packages/*/", "packages/a", true),
            ("packages/*", "packages/a/b", false),
            ("packages/*", "packages/.a", false),
            ("packages/**", "packages/a/b", true),
            ("**", "a/b", true),
            ("{apps,libs/{x,y}}/*", "libs/y/a", true),
            ("{apps,libs}/*", "tools/a", false),
            ("packages/** !**/test/**", "packages/a/test", false),
            ("packages/** !**/test/**", "packages/a", true),
            ("a-*-z", "a-b-z", true),
            ("a-*-z", "a-z", false),
            ("@x/*", "@x/a", true),
            ("web", "web", true),
        ] {
            let list: Vec<&str> = patterns.split(' ').collect();
            let found = Globs::new(&list).map(|g| g.matches(folder));
            assert_eq!(found, Ok(expected), "{patterns} {folder}");
        }
        for odd in [
            "packages/@(a|b)",
            "../x",
            "a[bc]",
            "a?",
            "/a",
            "x{1..3}",
            "a**",
        ] {
            assert!(Globs::new(&[odd]).is_err(), "{odd}");
        }
        assert!(Globs::new(&["!a", "b"]).is_err());
    }
}
