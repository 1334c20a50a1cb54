//! A package manager that asks before it goes on: in a build nobody answers.

use super::around::{Around, Places};
use super::manager::{Deed, Manager, What, deeds};
use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, Run, View};

/// `assume-yes`.
pub static RULE: Rule = Rule {
    name: "assume-yes",
    severity: Severity::Warning,
    summary: "a package manager asks whether to go on, and in a build nobody answers",
    also: &["DL3014", "DL3030", "DL3034", "DL3038"],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let around = Around::new(view);
    let set = Set {
        apt: around.places(&["ssume-Yes", "APT_CONFIG"], "/etc/apt/apt.conf"),
        dnf: around.places(&["assumeyes"], "/etc/dnf/dnf.conf"),
        yum: around.places(&["assumeyes"], "/etc/yum.conf"),
    };
    for run in &view.runs {
        // `yes | ( … )`, `yes "" | sh -c`.
        let yes = run.calls.iter().any(|c| c.program == "yes");
        if yes {
            continue;
        }
        for deed in deeds(run) {
            let asks = match deed.manager {
                Manager::Apt => deed.what != What::Update && deed.what != What::Clean,
                Manager::Dnf | Manager::Yum => !matches!(deed.what, What::Update | What::Clean),
                Manager::Zypper => deed.what != What::Clean,
                _ => false,
            };
            if !asks || deed.what == What::Other || answers(&around, &set, run, &deed) {
                continue;
            }
            found(run, &deed, out);
        }
    }
}

/// Where settings answer.
struct Set {
    apt: Places,
    dnf: Places,
    yum: Places,
}

/// Something says yes.
fn answers(around: &Around<'_, '_>, set: &Set, run: &Run<'_>, deed: &Deed<'_>) -> bool {
    let options = deed.has_letter('y')
        || deed.has_option("--yes")
        || deed.has_option("--assume-yes")
        || deed.has_option("--assumeyes")
        || deed.has_option("--force-yes")
        || deed.has_option("--assumeno")
        || deed.mentions("assume-yes")
        || deed.mentions("assumeyes");
    let own = match deed.manager {
        Manager::Apt => {
            let quiet = deed
                .options
                .iter()
                .any(|o| o == "-q=2" || o.matches('q').count() > 1 && !o.starts_with("--"));
            quiet || around.is_set(&set.apt, run)
        }
        Manager::Zypper => {
            deed.has_letter('n')
                || deed.has_option("--non-interactive")
                || deed.has_option("--no-confirm")
                || run.text.contains("ZYPP")
        }
        _ => around.is_set(&set.yum, run) || around.is_set(&set.dnf, run),
    };
    options
        || own
        || deed.unsure
        || deed.is_dry()
        || deed.call.piped_from > 0
        || !deed.call.redirects.iter().all(|r| is_output(r.operator))
        || (deed.what == What::Install && deed.packages.is_empty() && deed.options.is_empty())
}

fn is_output(operator: crate::shell::RedirectOperator) -> bool {
    use crate::shell::RedirectOperator as Op;
    matches!(
        operator,
        Op::Write | Op::Append | Op::WriteBoth | Op::AppendBoth | Op::DuplicateOutput
    )
}

fn found(run: &Run<'_>, deed: &Deed<'_>, out: &mut Findings<'_>) {
    let message = match deed.manager {
        Manager::Apt if deed.what == What::Install => format!(
            "`{}` asks before it installs more than is named here, and gives up since nobody answers",
            deed.shown()
        ),
        _ => format!(
            "`{}` asks as soon as there is something to do, and gives up since nobody answers",
            deed.shown()
        ),
    };
    let finding = out.at(deed.head(), message);
    let (at, text, word) = match deed.manager {
        Manager::Zypper => (
            deed.call.program_span.end,
            " --non-interactive",
            "--non-interactive",
        ),
        _ => (deed.verb.span.end, " -y", "-y"),
    };
    finding.help(format!("add `{word}`"));
    if deed.takes_option(run) {
        finding.fix(Safety::Proven, vec![FileEdit::insert(at, text)]);
    }
}
