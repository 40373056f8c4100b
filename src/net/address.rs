//! Which addresses are of the public internet. Pure: an address and nothing else. What is not known to be public is
//! not (the IANA registries of special-purpose addresses, as of 2025).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(first: u16, second: u16, third: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0), length)
}

/// Networks that are not public, and what they are.
const SPECIAL_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "this host"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "shared by a provider"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "reserved"),
    (v4(192, 0, 2, 0, 24), "for documentation"),
    (v4(192, 88, 99, 0, 24), "a 6to4 relay"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "for benchmarks"),
    (v4(198, 51, 100, 0, 24), "for documentation"),
    (v4(203, 0, 113, 0, 24), "for documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// The same; asked in this order, what none of them holds is public within 2000::/3 alone.
const SPECIAL_V6: &[(Ipv6Net, &str)] = &[
    (v6(0x100, 0, 0, 64), "discarded"),
    (v6(0xfc00, 0, 0, 7), "private"),
    (v6(0xfe80, 0, 0, 10), "link-local"),
    (v6(0xfec0, 0, 0, 10), "site-local"),
    (v6(0xff00, 0, 0, 8), "multicast"),
    (v6(0x64, 0xff9b, 1, 48), "a local translation"),
    (v6(0x2001, 0, 0, 32), "a Teredo tunnel"),
    (v6(0x2001, 0xdb8, 0, 32), "for documentation"),
    (v6(0x2001, 0, 0, 23), "reserved"),
    (v6(0x2002, 0, 0, 16), "a 6to4 tunnel"),
    (v6(0x3fff, 0, 0, 20), "for documentation"),
    (v6(0x5f00, 0, 0, 16), "a segment of a route"),
];

const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);
/// IPv4 behind a translator (RFC 6052): where it leads is the address inside.
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);

/// The address that a packet to this one ends at: the IPv4 address inside, where there is one.
fn inner(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4.into();
    }
    if NAT64.contains(&v6) {
        let [.., a, b, c, d] = v6.octets();
        return Ipv4Addr::new(a, b, c, d).into();
    }
    address
}

/// What kind of address this is if it is not a public one: `loopback`, `private`, ….
pub fn special(address: IpAddr) -> Option<&'static str> {
    match inner(address) {
        IpAddr::V4(v4) => SPECIAL_V4.iter().find(|(net, _)| net.contains(&v4)).map(|(_, kind)| *kind),
        IpAddr::V6(v6) if v6.is_loopback() => Some("loopback"),
        IpAddr::V6(v6) => {
            let known = SPECIAL_V6.iter().find(|(net, _)| net.contains(&v6)).map(|(_, kind)| *kind);
            known.or((!GLOBAL_V6.contains(&v6)).then_some("reserved"))
        }
    }
}

/// What kind of address this is if nothing may be sent there: it is not public, and in none of these networks.
pub fn refused(address: IpAddr, allowed: &[IpNet]) -> Option<&'static str> {
    let ends_at = inner(address);
    special(address)
        .filter(|_| !allowed.iter().any(|network| network.contains(&ends_at) || network.contains(&address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_address_is_known_by_its_edges() {
        for (text, kind) in [
            ("0.0.0.0", "this host"),
            ("0.255.255.255", "this host"),
            ("1.0.0.0", ""),
            ("9.255.255.255", ""),
            ("10.0.0.0", "private"),
            ("10.255.255.255", "private"),
            ("11.0.0.0", ""),
            ("100.63.255.255", ""),
            ("100.64.0.0", "shared by a provider"),
            ("100.127.255.255", "shared by a provider"),
            ("100.128.0.0", ""),
            ("126.255.255.255", ""),
            ("127.0.0.1", "loopback"),
            ("127.255.255.255", "loopback"),
            ("128.0.0.0", ""),
            ("169.253.255.255", ""),
            ("169.254.169.254", "link-local"),
            ("169.255.0.0", ""),
            ("172.15.255.255", ""),
            ("172.16.0.0", "private"),
            ("172.31.255.255", "private"),
            ("172.32.0.0", ""),
            ("192.0.0.8", "reserved"),
            ("192.0.1.0", ""),
            ("192.0.2.1", "for documentation"),
            ("192.88.99.1", "a 6to4 relay"),
            ("192.167.255.255", ""),
            ("192.168.1.1", "private"),
            ("192.169.0.0", ""),
            ("198.17.255.255", ""),
            ("198.18.0.1", "for benchmarks"),
            ("198.19.255.255", "for benchmarks"),
            ("198.20.0.0", ""),
            ("198.51.100.7", "for documentation"),
            ("203.0.113.7", "for documentation"),
            ("203.0.114.0", ""),
            ("223.255.255.255", ""),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "reserved"),
            ("8.8.8.8", ""),
            ("::", "reserved"),
            ("::1", "loopback"),
            ("::2", "reserved"),
            ("::127.0.0.1", "reserved"),
            ("::8.8.8.8", "reserved"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:10.1.2.3", "private"),
            ("::ffff:169.254.169.254", "link-local"),
            ("::ffff:8.8.8.8", ""),
            ("::ffff:0:127.0.0.1", "reserved"),
            ("64:ff9b::127.0.0.1", "loopback"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b::8.8.8.8", ""),
            ("64:ff9b:1::8.8.8.8", "a local translation"),
            ("64:ff9c::1", "reserved"),
            ("100::1", "discarded"),
            ("1fff::1", "reserved"),
            ("2000::1", ""),
            ("2001::1", "a Teredo tunnel"),
            ("2001:0:7f00:1::", "a Teredo tunnel"),
            ("2001:10::1", "reserved"),
            ("2001:1ff:ffff::1", "reserved"),
            ("2001:200::1", ""),
            ("2001:db8::1", "for documentation"),
            ("2001:4860:4860::8888", ""),
            ("2002:7f00:1::", "a 6to4 tunnel"),
            ("2002:808:808::", "a 6to4 tunnel"),
            ("2003::1", ""),
            ("2a00:1450:4001:827::200e", ""),
            ("3ffe::1", ""),
            ("3fff::1", "for documentation"),
            ("3fff:1000::1", ""),
            ("4000::1", "reserved"),
            ("5f00::1", "a segment of a route"),
            ("fbff::1", "reserved"),
            ("fc00::1", "private"),
            ("fd12:3456::1", "private"),
            ("fdff:ffff::1", "private"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(special(address).unwrap_or_default(), kind, "{text}");
        }
    }

    #[test]
    fn what_is_allowed_is_allowed_by_where_it_ends() {
        let allowed: Vec<IpNet> = vec!["10.1.0.0/16".parse().unwrap(), "fd00::/16".parse().unwrap()];
        for (text, refused_as) in [
            ("10.1.2.3", None),
            ("::ffff:10.1.2.3", None),
            ("64:ff9b::10.1.2.3", None),
            ("10.2.0.1", Some("private")),
            ("127.0.0.1", Some("loopback")),
            ("fd00::1", None),
            ("fd01::1", Some("private")),
            ("8.8.8.8", None),
        ] {
            assert_eq!(refused(text.parse().unwrap(), &allowed), refused_as, "{text}");
        }
    }
}
