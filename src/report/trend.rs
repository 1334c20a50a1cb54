//! Seconds over the months of a history, and the commits that changed them.
//!
//! Goes in: the document of `trend`, or the part of `analyze`'s. Comes out: a table for a terminal, or one sentence. Linear in the document. Invariant:
//! everything from the repository passes through [`super::escape`].

use super::escape::{line, shortened, without_commands};
use super::model::{Trend, TrendChange};
use super::number::{bar, count, seconds};
use super::text::Style;
use super::wording::short_commit;
use serde::Serialize;

/// Changes shown; those that changed least are left out first.
const MOST_CHANGES: usize = 20;
const BAR: usize = 16;

/// `cacheplan.trend/1`.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Document {
    /// The schema's name.
    pub schema: &'static str,
    /// The Dockerfile.
    pub file: String,
    /// The build context's folder.
    pub context: String,
    /// `--target`, if any.
    pub target: Option<String>,
    /// The cache policy, as on the command line.
    pub policy: String,
    /// Months and changes.
    #[serde(flatten)]
    pub trend: Trend,
}

impl TrendChange {
    /// Seconds a build more than before it.
    fn more(&self) -> f64 {
        self.after_s_per_build - self.before_s_per_build
    }

    /// Whether it is more than a hundredth, and a tenth of a second.
    fn is_noticeable(&self) -> bool {
        let size = self.before_s_per_build.max(self.after_s_per_build);
        self.more().abs() >= (size * 0.01).max(0.1)
    }
}

/// The commit that made builds dearer than any other, of those that made them noticeably dearer and of whose increase no later one took half
/// away again.
#[must_use]
pub fn in_short(trend: &Trend) -> Option<String> {
    let all = &trend.changes;
    let stays = |(i, c): &(usize, &TrendChange)| {
        let mut since = 0.0;
        all[i + 1..].iter().all(|later| {
            since += later.more();
            since > -c.more() / 2.0
        })
    };
    let dearer = |(_, c): &(usize, &TrendChange)| {
        c.more() >= (c.before_s_per_build * 0.05).max(0.5) && c.is_noticeable()
    };
    let found = all.iter().enumerate().filter(dearer).filter(stays);
    let (_, worst) = found.max_by(|(_, a), (_, b)| a.more().total_cmp(&b.more()))?;
    Some(format!(
        "Dearest change: {} ({}, “{}”) made a build cost {} instead of {}; `cacheplan trend` shows all {} to Dockerfile and ignore file.",
        short_commit(&worst.commit),
        worst.date,
        shortened(&worst.summary, 60),
        seconds(worst.after_s_per_build),
        seconds(worst.before_s_per_build),
        count(all.len(), "change"),
    ))
}

/// The table for a terminal.
#[must_use]
pub fn text(d: &Document, style: Style) -> String {
    let mut out = String::new();
    let mut put = |text: &str, dim: bool| {
        let text = text.trim_end();
        let dimmed = anstyle::Style::new().effects(anstyle::Effects::DIMMED);
        out.push_str(&match dim && style.color && !text.is_empty() {
            true => format!("{dimmed}{text}{dimmed:#}\n"),
            false => format!("{text}\n"),
        });
    };
    let stage = d
        .target
        .as_ref()
        .map_or_else(String::new, |s| format!(", target {}", line(s)));
    let policy = super::wording::under(&d.policy);
    put(
        &format!(
            "{} (context {}{stage}): seconds of work a build{policy}",
            line(&d.file),
            line(&d.context)
        ),
        false,
    );
    put("", false);
    let months = &d.trend.months;
    if months.is_empty() {
        put("No build to count.", false);
    } else {
        put(
            &format!(
                "{:<7}  {:>6}  {:>9}  {:BAR$}  {:>9}  {:>9}",
                "month", "builds", "as it was", "", "today's", "the plan"
            ),
            true,
        );
    }
    let most = months
        .iter()
        .filter_map(|m| m.own_work_s_per_build)
        .fold(0.0, f64::max);
    let shown = |s: Option<f64>| s.map_or_else(|| "–".to_owned(), seconds);
    for m in months {
        let share = m.own_work_s_per_build.unwrap_or(0.0) / if most > 0.0 { most } else { 1.0 };
        put(
            &format!(
                "{:<7}  {:>6}  {:>9}  {:BAR$}  {:>9}  {:>9}",
                m.month,
                m.builds,
                shown(m.own_work_s_per_build),
                bar(share, BAR),
                shown(m.work_s_per_build),
                shown(m.plan_work_s_per_build),
            ),
            false,
        );
    }
    if !months.is_empty() && d.trend.versions > 0 {
        put(
            "as it was: each commit's own Dockerfile and ignore file; today's and the plan: those on the same commits",
            true,
        );
    }
    put("", false);
    changes(&d.trend, style.width, &mut put);
    without_commands(&out).into_owned()
}

fn changes(trend: &Trend, width: usize, put: &mut dyn FnMut(&str, bool)) {
    let all = &trend.changes;
    let mut shown: Vec<&TrendChange> = all.iter().filter(|c| c.is_noticeable()).collect();
    if trend.versions == 0 {
        let file = "Older versions of a Dockerfile that stands in another file are not looked at.";
        put(file, false);
        return;
    }
    if all.is_empty() {
        put(
            "No commit changed the Dockerfile or its ignore file.",
            false,
        );
        return;
    }
    shown.sort_by(|a, b| b.more().abs().total_cmp(&a.more().abs()));
    shown.truncate(MOST_CHANGES);
    shown.sort_by_key(|c| all.iter().position(|o| std::ptr::eq(o, *c)));
    if !shown.is_empty() {
        put(
            "Commits that changed it; before and behind each on the same builds around it:",
            false,
        );
    }
    for c in &shown {
        let sign = if c.more() > 0.0 { "+" } else { "-" };
        let head = format!(
            "{}  {}  {:>9} -> {:>9}  {sign}{:>9}  ",
            c.date,
            line(short_commit(&c.commit)),
            seconds(c.before_s_per_build),
            seconds(c.after_s_per_build),
            seconds(c.more().abs()),
        );
        let room = width.max(60).saturating_sub(head.chars().count()).max(20);
        put(&format!("{head}{}", shortened(&c.summary, room)), false);
    }
    let rest = all.len() - shown.len();
    if rest > 0 {
        let less = match shown.is_empty() {
            true => "",
            false => "more ",
        };
        let noun = if rest == 1 { "commit" } else { "commits" };
        let what = match shown.len() < MOST_CHANGES {
            true => "changed it without a noticeable difference",
            false => "changed it by less",
        };
        put(&format!("{rest} {less}{noun} {what}."), true);
    }
    if trend.changes_left_out > 0 {
        let text = format!(
            "{} of this history were not looked at.",
            count(trend.changes_left_out, "older change")
        );
        put(&text, true);
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::TrendMonth;
    use super::*;

    fn change(commit: &str, before: f64, after: f64, summary: &str) -> TrendChange {
        TrendChange {
            commit: commit.repeat(40),
            date: "2026-03-02".to_owned(),
            summary: summary.to_owned(),
            before_s_per_build: before,
            after_s_per_build: after,
            builds: 30,
        }
    }

    fn document() -> Document {
        let month = |month: &str, own: Option<f64>, today| TrendMonth {
            month: month.to_owned(),
            builds: 12,
            own_work_s_per_build: own,
            work_s_per_build: Some(today),
            plan_work_s_per_build: None,
        };
        Document {
            schema: "cacheplan.trend/1",
            file: "Dock\u{1b}[2Jerfile".to_owned(),
            context: ".".to_owned(),
            target: None,
            policy: "local".to_owned(),
            trend: Trend {
                months: vec![
                    month("2026-01", None, 40.0),
                    month("2026-02", Some(20.0), 41.0),
                    month("2026-03", Some(40.0), 40.0),
                ],
                changes: vec![
                    change("a", 20.0, 20.0, "Comments"),
                    change(
                        "b",
                        20.0,
                        41.0,
                        "Frontend @team \u{202e}<b>\n::set-output name=x::y",
                    ),
                    change("c", 41.0, 40.0, "Less"),
                ],
                changes_left_out: 2,
                versions: 4,
            },
        }
    }

    #[test]
    fn months_and_changes_as_text() {
        insta::assert_snapshot!(text(&document(), Style::default()));
        let mut empty = document();
        empty.trend.months.clear();
        empty.trend.changes.clear();
        empty.trend.changes_left_out = 0;
        assert_eq!(
            text(&empty, Style::default())
                .lines()
                .skip(2)
                .collect::<Vec<_>>(),
            [
                "No build to count.",
                "",
                "No commit changed the Dockerfile or its ignore file."
            ]
        );
    }

    #[test]
    fn the_dearest_change_in_a_sentence() {
        let mut d = document();
        insta::assert_snapshot!(in_short(&d.trend).unwrap());
        // Taken back by a later commit.
        d.trend.changes.push(change("d", 40.0, 25.0, "Revert"));
        assert_eq!(in_short(&d.trend), None);
        d.trend.changes.truncate(1);
        assert_eq!(in_short(&d.trend), None);
    }
}
