//! What a minute of a runner costs.
//!
//! Goes in: what `--price` says: a rate, with a currency or without, or the name of a runner in the table. Comes out: a [`Price`], and what a job
//! of so many seconds is billed as. Constant time. Invariant: a rate is finite and not negative.

use std::str::FromStr;
use thiserror::Error;

/// When the table was looked up.
pub const DATED: &str = "2026-11";

/// A hosted runner, as its provider lists it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Runner {
    /// The name for `--price`.
    pub name: &'static str,
    /// US dollars a minute, without the minutes that a subscription includes.
    pub rate: f64,
    /// Processor cores.
    pub cores: u32,
    /// Seconds that a job is rounded up to.
    pub unit_s: f64,
    /// Whose list the rate is from.
    pub source: &'static str,
}

const GITHUB: &str = "GitHub's list";
const GITLAB: &str = "GitLab's compute minutes at 10 USD per 1000, times the cost factor";

const fn github(name: &'static str, rate: f64, cores: u32) -> Runner {
    Runner {
        name,
        rate,
        cores,
        unit_s: 60.0,
        source: GITHUB,
    }
}

const fn gitlab(name: &'static str, rate: f64, cores: u32) -> Runner {
    Runner {
        name,
        rate,
        cores,
        unit_s: 1.0,
        source: GITLAB,
    }
}

/// Runners of which `--price` knows the rate.
pub const RUNNERS: [Runner; 11] = [
    github("github-1", 0.002, 1),
    github("github-2", 0.006, 2),
    github("github-4", 0.012, 4),
    github("github-8", 0.022, 8),
    github("github-16", 0.042, 16),
    github("github-arm-2", 0.005, 2),
    github("github-arm-4", 0.008, 4),
    github("github-arm-8", 0.014, 8),
    gitlab("gitlab-small", 0.01, 2),
    gitlab("gitlab-medium", 0.02, 4),
    gitlab("gitlab-large", 0.03, 8),
];

/// What a minute costs; nothing, without more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Price {
    /// Money a minute; none on free runners.
    pub rate: Option<f64>,
    /// The currency, as given; empty where none was.
    pub currency: String,
    /// The runner, where it was named.
    pub runner: Option<Runner>,
}

/// Why `--price` can't be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no price of a minute: write a rate (0.008, 0.008USD, 0.02EUR), `free`, or a runner: {list}",
    list = RUNNERS.map(|r| r.name).join(", ")
)]
pub struct InvalidPrice(String);

impl FromStr for Price {
    type Err = InvalidPrice;

    fn from_str(text: &str) -> Result<Self, InvalidPrice> {
        let text = text.trim();
        if text == "free" {
            return Ok(Self::default());
        }
        if let Some(runner) = RUNNERS.into_iter().find(|r| r.name == text) {
            return Ok(Self {
                rate: Some(runner.rate),
                currency: "USD".to_owned(),
                runner: Some(runner),
            });
        }
        let (signed, text) = match text.chars().next() {
            Some('$') => ("USD", &text[1..]),
            Some('€') => ("EUR", &text['€'.len_utf8()..]),
            Some('£') => ("GBP", &text['£'.len_utf8()..]),
            _ => ("", text),
        };
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, behind) = text.split_at(end);
        let behind = behind.trim();
        let code = behind.len() == 3 && behind.bytes().all(|b| b.is_ascii_alphabetic());
        let currency = match (signed, behind) {
            (signed, "") => signed.to_owned(),
            ("", code_of) if code => code_of.to_ascii_uppercase(),
            _ => return Err(InvalidPrice(text.to_owned())),
        };
        match number.parse::<f64>() {
            Ok(rate) if rate.is_finite() => Ok(Self {
                rate: Some(rate),
                currency,
                runner: None,
            }),
            _ => Err(InvalidPrice(text.to_owned())),
        }
    }
}

impl Price {
    /// Seconds that a job is rounded up to: a minute, unless the runner's provider counts otherwise.
    #[must_use]
    pub fn unit_s(&self) -> f64 {
        self.runner.map_or(60.0, |r| r.unit_s)
    }

    /// Minutes that a job of so many seconds is billed as: whole units, one at least.
    #[must_use]
    pub fn billed(&self, seconds: f64) -> f64 {
        let unit = self.unit_s();
        // A sum of rounded figures may lie a hair above a whole unit.
        ((seconds / unit - 1e-9).ceil().max(1.0)) * unit / 60.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_with_or_without_a_currency() {
        let of = |text: &str| {
            let price: Price = text.parse().unwrap();
            (
                price.rate,
                price.currency.clone(),
                price.runner.map(|r| r.name),
            )
        };
        let usd = || "USD".to_owned();
        assert_eq!(of("0.008"), (Some(0.008), String::new(), None));
        assert_eq!(of("$0.008"), (Some(0.008), usd(), None));
        assert_eq!(of("0.008 usd"), (Some(0.008), usd(), None));
        assert_eq!(of("€.5"), (Some(0.5), "EUR".to_owned(), None));
        assert_eq!(of("0"), (Some(0.0), String::new(), None));
        assert_eq!(of("free"), (None, String::new(), None));
        assert_eq!(of("github-2"), (Some(0.006), usd(), Some("github-2")));
        for bad in [
            "",
            "-1",
            "x",
            "1e3",
            "0.008 a minute",
            "$1EUR",
            "$",
            "NaN",
            "inf",
            "1.2.3",
            "§1",
            "1€",
            "github-3",
        ] {
            assert!(bad.parse::<Price>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_started_minute_is_a_whole_one() {
        let github = Price::default();
        for (seconds, minutes) in [
            (0.0, 1.0),
            (1.0, 1.0),
            (59.9, 1.0),
            (60.0, 1.0),
            (60.1, 2.0),
            (600.0, 10.0),
        ] {
            assert_eq!(github.billed(seconds), minutes, "{seconds}");
        }
        let gitlab: Price = "gitlab-small".parse().unwrap();
        assert_eq!(gitlab.billed(90.5), 91.0 / 60.0);
    }
}
