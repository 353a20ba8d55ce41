# The mended places that bound what ICE does for one connection: addresses, candidates, signals and checks. Included by
# gns_mended.cmake, after the other mends of ICE.

# ICE uses at most 8 of this host's addresses, the best ones (gns/local_addresses.hpp): unmended, all of them. Each costs a
# socket, a request to a STUN and an allocation on a TURN server, up to three candidates, and checks with all of the peer's.
# On a host with 31 bridges for containers, the addresses that matter are found last, and are beyond the number that a peer
# takes; and the 10 seconds for finding a route are over before it is their turn to be checked.
gns_mend(${ice}
  "#include \"steamnetworkingsockets_mock.h\"" "#include \"steamnetworkingsockets_mock.h\"\n#include <local_addresses.hpp>"
  "    // Second pass: add genuinely new interfaces." [=[    std_vector<netadr_t> vecServers = m_vecSTUNServers;
    vecServers.insert( vecServers.end(), m_vecTURNServers.begin(), m_vecTURNServers.end() );
    std_vector<netadr_t> vecPeer;
    for ( const ICEPeerCandidate &candidate : m_vecPeerCandidates )
        vecPeer.push_back( candidate.m_addr );
    gns_mended::put_best_first( vecAddrs, vecServers, vecPeer );

    // Second pass: add genuinely new interfaces.]=]
  "        // Skip addresses that can't produce" [=[        if ( len( m_vecInterfaces ) >= k_nMaxInterfaces )
        {
            SpewMsgGroup( GlobalConfig::LogLevel_P2PRendezvous.Get(), "ICE: Only %d of this host's %d addresses are used.\n", k_nMaxInterfaces, vecAddrs.Count() );
            break;
        }

        // Skip addresses that can't produce]=])

# At most 32 checks begin of each kind of pair: direct ones, those with an address that a NAT has given the peer, and
# relayed ones. Together that is about what RFC 8445 recommends (100 pairs, section 6.1.2.5). Unmended, each of the peer's
# candidates is checked from each address and relay of this host, so a peer that names addresses of others directs thousands
# of packets to them. A pair that the peer has sent a signed request on is checked in any case. A relay that is made again is
# checked again.
gns_mend(${ice_header}
  "    const int k_nMaxPeerCandidates = 100;"
  "    const int k_nMaxPeerCandidates = 100;\n    const int k_nMaxInterfaces = 8;\n    const int k_nMaxChecksOfKind = 32;"
  "        bool m_bCandidatePairsNeedUpdate;" [=[        bool m_bCandidatePairsNeedUpdate;

        // How many checks may still begin: direct, reflexive, relayed.
        int m_nChecksLeft[ 3 ] = { k_nMaxChecksOfKind, k_nMaxChecksOfKind, k_nMaxChecksOfKind };
        bool BTakeCheck( const ICECandidatePair &pair );]=])
gns_mend(${ice}
  "void CSteamNetworkingICESession::Think_TestPeerConnectivity()" [=[bool CSteamNetworkingICESession::BTakeCheck( const ICECandidatePair &pair )
{
    const ICECandidateKind eRemote = pair.m_remoteCandidate.m_type;
    const bool bRelayed = pair.m_localCandidate.IsRelay() || eRemote == ICECandidateKind::Relayed;
    int &nLeft = m_nChecksLeft[ bRelayed ? 2 : eRemote == ICECandidateKind::Host ? 0 : 1 ];
    if ( nLeft <= 0 )
        return false;
    --nLeft;
    return true;
}

void CSteamNetworkingICESession::Think_TestPeerConnectivity()]=]
  "if ( pCandidatePair->m_nState == kICECandidatePairState_Waiting )"
  "if ( pCandidatePair->m_nState == kICECandidatePairState_Waiting && BTakeCheck( *pCandidatePair ) )"
  "            if ( pPairToCheck == nullptr )\n                pPairToCheck = pCandidatePair;"
  "            if ( pPairToCheck == nullptr && BTakeCheck( *pCandidatePair ) )\n                pPairToCheck = pCandidatePair;"
  "    pIntf->m_addrRelayed.Clear();" "    m_nChecksLeft[ 2 ] = k_nMaxChecksOfKind;\n    pIntf->m_addrRelayed.Clear();")

# A signal takes no more candidates once it has 1,500 bytes of them; the rest follows in the next: unmended, a limit of 800
# bytes is looked at before the first one only, so that a signal has all of them, and signalling services drop it.
gns_mend(${p2p}
  "				if ( nTotalMsgSize > 800 )\n					break;\n" ""
  "			*msg.add_reliable_messages() = s.m_msg;" [=[			if ( nTotalMsgSize > 1500 )
				break;
			*msg.add_reliable_messages() = s.m_msg;]=])
