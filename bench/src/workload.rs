//! The same work for everybody.

/// Upper bounds of the histograms: twelve buckets with the one beyond.
pub(crate) const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Series of the page.
pub(crate) const SERIES: usize = 10_000;

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];
const ROUTES: [&str; 8] = [
    "/api/v1/users",
    "/api/v1/users/{id}",
    "/api/v1/products",
    "/api/v1/products/{id}",
    "/api/v1/products/{id}/owner",
    "/api/v1/orders",
    "/api/v1/orders/{id}",
    "/health",
];
/// A power of two, so that an index is masked.
const STEPS: usize = 4096;

/// Labels and values in an order that no predictor knows.
pub(crate) struct Workload {
    pairs: Vec<(&'static str, &'static str)>,
    values: Vec<f64>,
}

impl Workload {
    pub(crate) fn new() -> &'static Self {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let pairs = (0..STEPS).map(|_| {
            let r = random();
            (METHODS[(r >> 8) as usize % 8], ROUTES[(r >> 16) as usize % 8])
        });
        let pairs = pairs.collect();
        // Durations from a millisecond to some ten seconds, as many in each order of magnitude.
        let values = (0..STEPS).map(|_| 10f64.powf((random() % 4096) as f64 / 1024.0 - 3.0)).collect();
        Box::leak(Box::new(Self { pairs, values }))
    }

    #[inline]
    pub(crate) fn pair(&self, i: u64) -> (&'static str, &'static str) {
        self.pairs[i as usize & (STEPS - 1)]
    }

    #[inline]
    pub(crate) fn value(&self, i: u64) -> f64 {
        self.values[i as usize & (STEPS - 1)]
    }

    /// The labels of the series on the page.
    pub(crate) fn path(i: usize) -> String {
        format!("/api/v1/items/{i}")
    }
}
