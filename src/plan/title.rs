//! What the builder's progress prints for a step.
//!
//! `[stage i/n] TEXT` with variables expanded (cache keys section 2). The text is the whole logical
//! line run through the word expander, quotes and all, and only then the keyword is upper-cased.
//! Titles are in no key; they join predictions to real output.

use super::state::{State, VOLATILE};
use crate::dockerfile::{Heredoc, Instruction, expand_title, expand_word};

/// The title text of a RUN: quotes and unset variables stay, variables that a secret mount sets are
/// starred.
pub fn run(
    ins: Instruction<'_>,
    script: Option<&Heredoc>,
    escape: char,
    state: &State,
    secrets: &[String],
) -> String {
    let mut text = ins.original().to_string();
    if let Some(doc) = script {
        text.push_str(&format!(" ({})", first_line(&doc.body)));
    }
    let lookup = |name: &str| {
        if secrets.iter().any(|s| s == name) {
            return Some("****".to_owned());
        }
        state.lookup(name)
    };
    upper(&expand_title(&text, escape, &lookup).unwrap_or(text))
}

/// The title text of COPY, ADD and WORKDIR: quotes and escapes are gone, unset variables are empty.
pub fn plain(ins: Instruction<'_>, escape: char, state: &State) -> String {
    let text = expand_word(&ins.original(), escape, &|name| state.lookup(name));
    upper(&text.unwrap_or_else(|_| ins.original().to_string()))
}

/// The first line of a heredoc, `...` if there are more.
fn first_line(body: &str) -> String {
    let body = body.trim();
    match body.split_once('\n') {
        Some((first, _)) => format!("{}...", first.strip_suffix('\r').unwrap_or(first)),
        None => body.to_owned(),
    }
}

/// Upper-cases up to the first blank (a tab is none); NUL marks a per-build value, people see a star.
fn upper(text: &str) -> String {
    let end = text.find(' ').unwrap_or(text.len());
    let text = format!("{}{}", text[..end].to_uppercase(), &text[end..]);
    text.replace(VOLATILE, "*")
}

/// Where a step stands in its stage, as its title says.
#[derive(Clone, Copy)]
pub struct Position<'a> {
    /// Empty when the build has one stage record.
    pub stage: &'a str,
    /// From 1.
    pub index: usize,
    /// How many steps the builder counts in the stage.
    pub total: usize,
    /// It comes from an ONBUILD of the base stage.
    pub onbuild: bool,
}

/// `[stage i/n] TEXT`.
pub fn compose(at: Position<'_>, text: &str) -> String {
    let Position {
        stage,
        index,
        total,
        ..
    } = at;
    let width = total.to_string().len();
    let blank = if stage.is_empty() { "" } else { " " };
    let trigger = if at.onbuild { "ONBUILD " } else { "" };
    format!("[{stage}{blank}{index:>width$}/{total}] {trigger}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::parse;
    use crate::source::SourceFile;

    fn titles(line: &str) -> (String, String) {
        let file = parse(&SourceFile::new("Dockerfile", line)).tree;
        let ins = file.instructions().at(0);
        let mut state = State::new(true);
        state.set_env("A", "1 2".to_owned());
        let script = ins.heredocs().first();
        (
            run(ins, script, '\\', &state, &["S".to_owned()]),
            plain(ins, '\\', &state),
        )
    }

    #[test]
    fn run_keeps_quotes_and_unset_variables() {
        assert_eq!(
            titles(r#"run  echo "$A" '$A' ${A} $B ${B} \$A $S $"#).0,
            r#"RUN  echo "1 2" '$A' 1 2 $B ${B} $A **** $"#
        );
        assert_eq!(titles("RUN <<E\n a $A\nb\nE").0, "RUN <<E (a 1 2...)");
        assert_eq!(titles("RUN echo ${A").0, "RUN echo ${A");
    }

    #[test]
    fn the_others_lose_quotes() {
        assert_eq!(titles(r#"copy ["f", "/k$B"]"#).1, "COPY [f, /k]".to_owned());
        assert_eq!(titles("COPY 'a").1, "COPY 'a");
    }

    #[test]
    fn index_is_padded_to_the_width_of_the_total() {
        let at = |stage, index, total| Position {
            stage,
            index,
            total,
            onbuild: false,
        };
        assert_eq!(compose(at("b", 3, 12), "RUN x"), "[b  3/12] RUN x");
        assert_eq!(compose(at("", 1, 2), "RUN x"), "[1/2] RUN x");
        let onbuild = Position {
            onbuild: true,
            ..at("b", 1, 2)
        };
        assert_eq!(compose(onbuild, "RUN x"), "[b 1/2] ONBUILD RUN x");
    }
}
