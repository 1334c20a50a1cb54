//! cost
use crate::footprint::Class;
/// stand-in
#[derive(Clone, Debug)]
pub struct CostTable;
/// stand-in
#[derive(Clone, Debug)]
pub struct StepCost { /// x
 pub seconds: f64, /// x
 pub seconds_low: f64, /// x
 pub seconds_high: f64, /// x
 pub bytes: Option<u64>, /// x
 pub source: CostSource }
/// x
#[derive(Clone, Copy, Debug)]
pub enum CostSource { /// x
 Prior, /// x
 Learned, /// x
 Measured }
impl CostTable { /// x
 pub fn priors() -> Self { Self } /// x
 pub fn step(&self, _k: &str, _t: &str, classes: &[Class]) -> StepCost { StepCost { seconds: classes.len() as f64, seconds_low: 0.0, seconds_high: 0.0, bytes: None, source: CostSource::Prior } } }
