// The addresses of this host that ICE uses, best first; see gns_mended_candidates.cmake. Included by GNS's
// steamnetworkingsockets_ice_client.cpp.
#pragma once

#include <algorithm>
#include <vector>

namespace gns_mended {

using namespace SteamNetworkingSocketsLib;

// Returns the address from which the system sends to this one, or one that is not valid if there is no route. Nothing is sent.
inline CIPAddress SourceFor( netadr_t target )
{
	netadr_t source;
	if ( target.GetPort() == 0 )
		target.SetPort( 9 ); // not every system takes 0
	int nKind = SOCK_DGRAM;
	#ifdef SOCK_CLOEXEC
		nKind |= SOCK_CLOEXEC;
	#endif
	const SOCKET sock = socket( target.GetType() == k_EIPTypeV4 ? AF_INET : AF_INET6, nKind, IPPROTO_UDP );
	if ( sock == INVALID_SOCKET )
		return source;
	sockaddr_storage address;
	const auto cbAddress = static_cast<socklen_t>( target.ToSockadr( &address ) );
	socklen_t cbSource = sizeof( address );
	if ( connect( sock, reinterpret_cast<const sockaddr *>( &address ), cbAddress ) == 0
		&& getsockname( sock, reinterpret_cast<sockaddr *>( &address ), &cbSource ) == 0 )
		source.SetFromSockadr( &address );
	closesocket( sock );
	return source;
}

inline bool IsInSubnet( const CIPAddress &local, int nPrefixLen, const CIPAddress &other )
{
	if ( nPrefixLen <= 0 || local.GetType() != other.GetType() )
		return false;
	uint8 localBytes[ 16 ], otherBytes[ 16 ];
	local.GetIPV6( localBytes );
	other.GetIPV6( otherBytes );
	const int nBits = std::min( 128, nPrefixLen + ( local.GetType() == k_EIPTypeV4 ? 96 : 0 ) );
	for ( int nBit = 0 ; nBit < nBits ; ++nBit )
		if ( ( localBytes[ nBit / 8 ] ^ otherBytes[ nBit / 8 ] ) & ( 0x80 >> nBit % 8 ) )
			return false;
	return true;
}

// Puts those first from which the system sends to the internet, to the servers, and to the peer. The others follow in the
// system's order, IPv4 and IPv6 in turn, and last those in whose subnet there is a better one.
inline void PutBestFirst( CUtlVector<LocalAddress_t> &addresses, const std::vector<netadr_t> &servers, const std::vector<netadr_t> &peer )
{
	constexpr int k_nSecondInSubnet = 1 << 20, k_nNoTarget = 1 << 10;
	struct Ranked
	{
		LocalAddress_t m_local;
		CIPAddress m_ip;
		int m_nRank;
	};
	std::vector<Ranked> ranked;
	for ( const LocalAddress_t &local : addresses )
	{
		netadr_t adr;
		SteamNetworkingIPAddrToNetAdr( adr, local.m_addr );
		ranked.push_back( { local, adr.GetIP(), INT_MAX } );
	}

	int nBest = 0;
	const auto Prefer = [&]( const netadr_t &target ) {
		const CIPAddress source = SourceFor( target );
		for ( Ranked &each : ranked )
			if ( each.m_ip == source && each.m_nRank == INT_MAX )
				each.m_nRank = nBest++;
	};
	for ( const char *pszInternet : { "192.0.2.1", "2001:db8::1" } )
		Prefer( netadr_t( pszInternet ) );
	for ( const netadr_t &server : servers )
		Prefer( server );
	for ( const netadr_t &candidate : peer )
	{
		// A peer that has an address like one of ours is not reached there.
		const bool bIsOurs = std::any_of( ranked.begin(), ranked.end(), [&]( const Ranked &each ) { return each.m_ip == candidate.GetIP(); } );
		if ( !bIsOurs )
			Prefer( candidate );
	}

	int nOfFamily[ 2 ] = { 0, 0 };
	for ( Ranked &each : ranked )
	{
		if ( each.m_nRank != INT_MAX )
			continue;
		const bool bIsSecond = std::any_of( ranked.begin(), ranked.end(), [&]( const Ranked &other ) {
			return other.m_nRank != INT_MAX && IsInSubnet( other.m_ip, other.m_local.m_nPrefixLen, each.m_ip );
		} );
		each.m_nRank = ( bIsSecond ? k_nSecondInSubnet : k_nNoTarget ) + nOfFamily[ each.m_ip.GetType() == k_EIPTypeV6 ]++;
	}

	std::stable_sort( ranked.begin(), ranked.end(), []( const Ranked &a, const Ranked &b ) { return a.m_nRank < b.m_nRank; } );
	addresses.RemoveAll();
	for ( const Ranked &each : ranked )
		addresses.AddToTail( each.m_local );
}

} // namespace gns_mended
