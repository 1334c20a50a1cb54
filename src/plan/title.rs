//! What the builder's progress prints for a step.
//!
//! `[stage i/n] TEXT` with variables expanded; RUN keeps its quotes and unset variables (cache keys
//! section 2). Titles are in no key; they join predictions to real output.

use super::state::State;

/// Replaces `$name` and `${name}` of set variables, leaving everything else as it stands.
pub fn expand_raw(text: &str, state: &State) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let braced = tail.starts_with('{');
        let body = if braced { &tail[1..] } else { tail };
        let end = body
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(body.len());
        let name = &body[..end];
        let closed = !braced || body[end..].starts_with('}');
        let used = usize::from(braced) * 2 + end;
        let known = state.vars.iter().find(|v| v.name == name);
        match known {
            Some(v) if closed && !name.is_empty() => {
                out.push_str(&v.value.replace(super::VOLATILE, "*"));
                rest = &tail[used..];
            }
            _ => {
                out.push('$');
                rest = tail;
            }
        }
    }
    out.push_str(rest);
    out
}

/// `[stage i/n] TEXT`; `stage` is empty when the build has one stage record.
pub fn compose(stage: &str, index: usize, total: usize, text: &str) -> String {
    let width = total.to_string().len();
    let blank = if stage.is_empty() { "" } else { " " };
    format!("[{stage}{blank}{index:>width$}/{total}] {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_variables_stay() {
        let mut s = State::new(true);
        s.set_env("A", "1".to_owned());
        assert_eq!(
            expand_raw("echo \"$A\" ${A} $B ${A:-x} $", &s),
            "echo \"1\" 1 $B ${A:-x} $"
        );
    }

    #[test]
    fn index_is_padded_to_the_width_of_the_total() {
        assert_eq!(compose("b", 3, 12, "RUN x"), "[b  3/12] RUN x");
        assert_eq!(compose("", 1, 2, "RUN x"), "[1/2] RUN x");
    }
}
