//! Scripts of a project's own manifests that a package manager runs by itself.
//!
//! Goes in: a manifest and the names of scripts. Comes out: what they read, in [`Needs`]. Invariant: a command that is
//! not listed here is a reason; most of them may look at anything.

use super::node::Package;
use super::{Needs, Project, above, join, prisma};

/// Scripts that call each other.
const DEEPEST: usize = 4;

/// Looks into the scripts of these names.
///
/// # Errors
/// What one of them does is not known.
pub(super) fn check(
    package: &Package,
    events: &[&str],
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    let scripts = package.json.get("scripts");
    for event in events {
        let Some(value) = scripts.and_then(|s| s.get(event)) else {
            continue;
        };
        let why = || format!("{} runs {value} with an install", package.path());
        let text = value.as_str().ok_or_else(why)?;
        let mut scene = Scene {
            package,
            project,
            needs,
            moved: false,
        };
        scene.line(text, 0).map_err(|more| match more.is_empty() {
            true => why(),
            false => format!("{}: {more}", why()),
        })?;
    }
    Ok(())
}

struct Scene<'a> {
    package: &'a Package,
    project: &'a dyn Project,
    needs: &'a mut Needs,
    /// It has gone to a folder above.
    moved: bool,
}

/// A reason, empty where there is nothing to add.
type Checked = Result<(), String>;

impl Scene<'_> {
    fn line(&mut self, text: &str, depth: usize) -> Checked {
        let plain = text.replace("&&", ";").replace("||", ";");
        if plain.contains([
            '&', '|', '<', '>', '$', '`', '(', ')', '{', '}', '\\', '#', '*', '\n',
        ]) {
            return Err(String::new());
        }
        for command in plain.split(';') {
            let words: Vec<&str> = command.split_whitespace().collect();
            if words.first() == Some(&"echo") {
                continue;
            }
            if command.contains(['"', '\'']) || words.is_empty() {
                return Err(String::new());
            }
            self.command(&words, depth)?;
        }
        Ok(())
    }

    fn command(&mut self, words: &[&str], depth: usize) -> Checked {
        match words {
            [first, rest @ ..] if is_harmless_variable(first) => self.command(rest, depth),
            ["npx" | "bunx" | "pnpx", rest @ ..] => self.program(after_flags(rest)),
            ["npm", "exec", rest @ ..] => self.program(after_flags(rest)),
            ["npm" | "yarn" | "pnpm" | "bun", "run", rest @ ..] => match after_flags(rest) {
                [name] if self.package.script(name).is_some() => self.script(name, depth),
                _ => Err(String::new()),
            },
            ["yarn" | "pnpm" | "bun", rest @ ..] => {
                let rest = after_flags(rest);
                match rest {
                    ["exec" | "x", more @ ..] => self.program(after_flags(more)),
                    [name] if self.package.script(name).is_some() => self.script(name, depth),
                    [name, ..] if self.package.script(name).is_some() => Err(String::new()),
                    _ => self.program(rest),
                }
            }
            _ => self.program(words),
        }
    }

    /// Another script of the manifest, with those before and after it.
    fn script(&mut self, name: &str, depth: usize) -> Checked {
        if depth > DEEPEST {
            return Err("its scripts call each other too often".to_owned());
        }
        let package = self.package;
        for event in [format!("pre{name}"), name.to_owned(), format!("post{name}")] {
            if let Some(text) = package.script(&event) {
                self.line(text, depth + 1)?;
            }
        }
        Ok(())
    }

    fn program(&mut self, words: &[&str]) -> Checked {
        match words {
            ["cd", ".." | "../" | "../.." | "../../"] => {
                self.moved = true;
                Ok(())
            }
            [name, ..] if self.moved && *name != "husky" => Err(String::new()),
            ["true" | ":" | "is-ci" | "opencollective-postinstall"]
            | ["exit"]
            | ["exit", "0"]
            | ["only-allow", _]
            | ["opencollective", "postinstall"]
            | ["ts-patch", "install"]
            | ["ts-patch", "install", "-s"] => Ok(()),
            ["husky"] | ["husky", "install"] | ["husky", "install", _] => {
                no_git(&self.package.dir, self.project, self.needs)
            }
            ["patch-package", options @ ..] => self.patches(options),
            ["prisma", "generate", options @ ..] => {
                let mut schema = None;
                let mut options = options.iter();
                while let Some(option) = options.next() {
                    match option.split_once('=') {
                        Some(("--schema", path)) => schema = Some(path),
                        _ if *option == "--schema" => {
                            schema = Some(*options.next().ok_or(String::new())?);
                        }
                        _ if matches!(*option, "--no-engine" | "--no-hints" | "--data-proxy") => {}
                        _ => return Err(String::new()),
                    }
                }
                prisma::generate(self.package, schema, true, self.project, self.needs)
            }
            _ => Err(String::new()),
        }
    }

    /// `patch-package` changes installed packages as the files in `patches` say.
    fn patches(&mut self, options: &[&str]) -> Checked {
        let mut folder = "patches";
        let mut options = options.iter();
        while let Some(option) = options.next() {
            match *option {
                "--patch-dir" => folder = options.next().ok_or(String::new())?,
                "--error-on-fail" | "--error-on-warn" | "--use-yarn" | "--partial" => {}
                _ => return Err(String::new()),
            }
        }
        self.needs.read_tree(join(&self.package.dir, folder));
        Ok(())
    }
}

/// The words behind flags that change nothing that counts.
fn after_flags<'w, 's>(words: &'w [&'s str]) -> &'w [&'s str] {
    let flags = [
        "--no",
        "--no-install",
        "--yes",
        "-y",
        "-s",
        "--silent",
        "--quiet",
        "-q",
        "--",
    ];
    let skipped = words.iter().take_while(|w| flags.contains(*w)).count();
    &words[skipped..]
}

fn is_harmless_variable(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|n| matches!(n, "CI" | "HUSKY" | "NODE_ENV" | "FORCE_COLOR"))
}

/// Tools that set up git hooks do nothing without a repository.
///
/// # Errors
/// There is one.
pub(super) fn no_git(dir: &str, project: &dyn Project, needs: &mut Needs) -> Checked {
    for place in std::iter::once(dir).chain(above(dir)) {
        let git = join(place, ".git");
        if project.is_file(&git) || project.has_below(&git) {
            return Err(format!("git hooks are set up in {git}"));
        }
    }
    // One that no commit holds is looked for too: a COPY may bring it behind the command, and then no hooks are there.
    super::shared::look_at_git(needs, dir);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::node::Package;
    use super::super::{Memory, Needs};
    use super::check;

    fn reads(script: &str, files: &[(&str, &str)]) -> Result<String, String> {
        let manifest = serde_json::json!({"scripts": {
            "prepare": script, "x": "node x.js", "ok": "true", "loop": "npm run loop", "preok": "echo a"
        }});
        let package = Package {
            dir: "/app".to_owned(),
            json: manifest,
        };
        let mut needs = Needs::default();
        check(&package, &["prepare"], &Memory::of(files), &mut needs)?;
        let list = needs.reads.iter().map(|c| c.path.clone());
        Ok(list.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn commands_that_look_at_little_are_known() {
        for (script, expected) in [
            ("husky", "/.git /app/.git"),
            ("husky install || true", "/.git /app/.git"),
            ("cd .. && husky install web/.husky", "/.git /app/.git"),
            ("is-ci || npx --no-install husky install", "/.git /app/.git"),
            ("echo \"hello world\" && exit 0", ""),
            ("npx only-allow pnpm", ""),
            ("npm run ok", ""),
            ("yarn ok && yarn husky", "/.git /app/.git"),
            ("HUSKY=0 pnpm exec husky", "/.git /app/.git"),
            ("patch-package", "/app/patches"),
            ("yarn patch-package --patch-dir p", "/app/p"),
        ] {
            assert_eq!(reads(script, &[]), Ok(expected.to_owned()), "{script}");
        }
    }

    #[test]
    fn all_others_are_reasons() {
        for script in [
            "node x.js",
            "npm run x",
            "npm run loop",
            "yarn x",
            "nuxt prepare",
            "electron-builder install-app-deps",
            "cd web && npm install",
            "husky > x",
            "node -e \"1\"",
            "echo `cat x`",
            "cd .. && patch-package",
            "patch-package --reverse",
            "prisma generate --watch",
            "yarn ok more",
            "",
        ] {
            assert!(reads(script, &[]).is_err(), "{script}");
        }
        let git = [("/app/.git/HEAD", "")];
        assert!(reads("husky", &git).is_err());
    }
}
