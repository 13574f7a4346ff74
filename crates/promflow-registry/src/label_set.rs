//! Labels as a type.

/// Labels whose names are known to the compiler: see [`crate::label_set!`].
pub trait LabelSet {
    /// The names, in the order of the values.
    const NAMES: &'static [&'static str];

    /// Calls a function with the values.
    fn with_values<R>(&self, run: impl FnOnce(&[&str]) -> R) -> R;
}

/// Makes a struct of borrowed label values that is a [`LabelSet`](crate::LabelSet).
///
/// ```
/// promflow_registry::label_set! {
///     /// Labels of requests.
///     pub struct Request { method, route }
/// }
///
/// let registry = promflow_registry::Registry::new();
/// let requests = registry.counter_of::<Request>("requests_total", "Requests.");
/// requests.at(&Request { method: "GET", route: "/" }).inc();
/// assert_eq!(requests.with(&["GET", "/"]).value(), 1.0);
/// ```
#[macro_export]
macro_rules! label_set {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident { $($label:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $visibility struct $name<'a> {
            $(
                #[doc = concat!("The label `", stringify!($label), "`.")]
                pub $label: &'a str,
            )+
        }

        impl $crate::LabelSet for $name<'_> {
            const NAMES: &'static [&'static str] = &[$(stringify!($label)),+];

            #[inline]
            fn with_values<R>(&self, run: impl FnOnce(&[&str]) -> R) -> R {
                run(&[$(self.$label),+])
            }
        }
    };
}
