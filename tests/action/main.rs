//! `action.yml` and `docs/ci/gitlab.yml`, run as a runner would against a stand-in of the interfaces that they call.
//!
//! In: small repositories with a pull request, hostile ones among them. Out: what the action comments, writes to the job summary, gives to
//! later steps and fails with. Needs bash, git, curl and jq.

mod api;
mod checkout;
mod expression;
mod github;
mod gitlab;
mod hooks;
mod hostile;
mod install;
mod runner;
mod text;
