//! Addresses of bake files: `cidrhost`, `cidrnetmask`, `cidrsubnet`, `cidrsubnets`.
//!
//! Goes in: a prefix such as `10.1.0.0/16`, and numbers. Comes out: texts; none where bake refuses the
//! call, or does something odd (prefixes of IPv4 addresses in IPv6 ones, numbers below zero). Cost: next
//! to nothing. The rules are those of go-cty-funcs and go-cidr, and were tried with buildx 0.29.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network: its first address as a number, and bits of the prefix and of all.
#[derive(Clone, Copy)]
struct Network {
    first: u128,
    prefix: u32,
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let plain = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit());
        let prefix: u32 = prefix.parse().ok().filter(|_| plain)?;
        let (address, bits) = match address.parse().ok()? {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) if address.to_ipv4_mapped().is_none() => (u128::from(address), 128),
            IpAddr::V6(_) => return None,
        };
        Self {
            first: 0,
            prefix,
            bits,
        }
        .at(address)
    }

    /// The network of this size around an address.
    fn at(self, address: u128) -> Option<Self> {
        let rest = self.bits.checked_sub(self.prefix)?;
        let first = match rest {
            128 => 0,
            rest => address >> rest << rest,
        };
        Some(Self { first, ..self })
    }

    /// The last address.
    fn last(self) -> u128 {
        let rest = self.bits - self.prefix;
        let below = 1u128.checked_shl(rest).map_or(u128::MAX, |size| size - 1);
        self.first | below
    }

    /// Longer by so many bits, at most 32; at its beginning.
    fn extended(self, by: u32) -> Option<Self> {
        let prefix = self.prefix.checked_add(by)?;
        (by <= 32 && prefix <= self.bits).then_some(Self { prefix, ..self })
    }

    fn address(self, number: u128) -> Option<String> {
        Some(match self.bits {
            32 => Ipv4Addr::from(u32::try_from(number).ok()?).to_string(),
            _ => Ipv6Addr::from(number).to_string(),
        })
    }

    fn text(self) -> Option<String> {
        Some(format!("{}/{}", self.address(self.first)?, self.prefix))
    }
}

fn whole(number: f64) -> Option<i64> {
    // What a float holds exactly.
    let fits = number.fract() == 0.0 && number.abs() < 9e15;
    #[allow(clippy::cast_possible_truncation)]
    fits.then_some(number as i64)
}

fn count(number: f64) -> Option<u32> {
    u32::try_from(whole(number)?).ok()
}

/// The address of a number in the network; below zero from its end.
pub(super) fn host(prefix: &str, number: f64) -> Option<String> {
    let network = Network::parse(prefix)?;
    let number = whole(number)?;
    let size = network.last() - network.first;
    let distance = u128::from(number.unsigned_abs());
    let at = match number < 0 {
        false => (distance <= size).then_some(distance)?,
        // Of `size + 1` addresses.
        true => size.checked_sub(distance - 1)?,
    };
    network.address(network.first + at)
}

/// The mask of a prefix.
pub(super) fn mask(prefix: &str) -> Option<String> {
    let network = Network::parse(prefix)?;
    let all = u128::MAX >> (128 - network.bits);
    network.address(network.at(all)?.first)
}

/// The network of a number among those that are longer by so many bits.
pub(super) fn subnet(prefix: &str, by: f64, number: f64) -> Option<String> {
    let longer = Network::parse(prefix)?.extended(count(by)?)?;
    let number = u128::from(count(number)?);
    if number >> count(by)? != 0 {
        return None;
    }
    let first = match longer.bits - longer.prefix {
        128 => 0,
        rest => longer.first | number << rest,
    };
    Network { first, ..longer }.text()
}

/// Networks one behind the other, each longer by so many bits.
pub(super) fn subnets(prefix: &str, by: &[f64]) -> Option<Vec<String>> {
    let network = Network::parse(prefix)?;
    let mut out = Vec::new();
    let mut before: Option<Network> = None;
    for by in by {
        let longer = network.extended(count(*by).filter(|by| *by > 0)?)?;
        let next = match before {
            None => longer,
            Some(before) => {
                let around = longer.at(before.last())?;
                let first = around.last().checked_add(1)?;
                Network { first, ..longer }
            }
        };
        if next.first > network.last() {
            return None;
        }
        out.push(next.text()?);
        before = Some(next);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beyond_all_addresses_give_none() {
        let most = f64::from(u32::MAX);
        assert_eq!(subnet("10.0.0.0/8", most, 0.0), None);
        assert_eq!(subnets("10.0.0.0/8", &[most]), None);
        assert_eq!(
            subnet("::/0", 32.0, most),
            Some("ffff:ffff::/32".to_owned())
        );
        assert_eq!(
            host("::/0", -1.0),
            Some("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".to_owned())
        );
        assert_eq!(
            (host("10.0.0.0/8", most), host("10.0.0.0/8", -most)),
            (None, None)
        );
        assert_eq!(
            (mask("10.0.0.0/33"), mask("::/0")),
            (None, Some("::".to_owned()))
        );
    }
}
