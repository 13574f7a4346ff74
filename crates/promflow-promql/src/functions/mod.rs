//! The functions, one family a file. They work on numbers and slices; series and steps are the operators' concern.

pub(crate) mod binary;
pub(crate) mod buckets;
pub(crate) mod date;
pub(crate) mod extended;
pub(crate) mod kahan;
pub(crate) mod math;
pub(crate) mod natural;
pub(crate) mod over_time;
pub(crate) mod quantile;
pub(crate) mod range;
pub(crate) mod rate;
pub(crate) mod regression;
pub(crate) mod sliding;
