# The mended places that concern P2P: the ICE client, TURN, and how P2P connections close. Included by gns_mended.cmake; each call
# of gns_mend is a patch of its own.
set(ice clientlib/steamnetworkingsockets_ice_client.cpp)
set(ice_header clientlib/steamnetworkingsockets_ice_client.h)
set(p2p clientlib/steamnetworkingsockets_p2p.cpp)
set(p2p_ice clientlib/steamnetworkingsockets_p2p_ice.cpp)

# A request to a STUN server has no attribute that says our address: unmended, it has MAPPED-ADDRESS, which is for answers. Servers
# that keep to the RFC refuse an attribute that they do not expect (420), so with them two peers behind NATs are never connected
# directly; and the private address is told to a server that need not know it.
gns_mend(${ice}
  "Queue( k_nSTUN_BindingRequest, nEncoding, addrSTUNServer, cb )"
  "Queue( k_nSTUN_BindingRequest, nEncoding | kSTUNPacketEncodingFlags_NoMappedAddress, addrSTUNServer, cb )")

# The permissions of a TURN allocation last 5 minutes. They are renewed after each refresh of the allocation, and it is refreshed at
# least every 2 minutes: unmended, they are never renewed, and every relayed connection ends after 5 minutes. A server that once
# named a short lifetime is refreshed at that pace from then on (coturn limits only the first lifetime that it names), but at most
# once a second.
gns_mend(${ice_header}
  "SteamNetworkingMicroseconds m_usecRefreshAfter = 0;" [=[SteamNetworkingMicroseconds m_usecRefreshAfter = 0;

        // The longest time between two refreshes.
        SteamNetworkingMicroseconds m_usecRefreshInterval = 120 * 1000 * 1000;]=])
gns_mend(${ice}
  "pIntf->m_usecRefreshAfter = info.m_usecNow + usecLifetime / 2;"
  [=[pIntf->m_usecRefreshInterval = std::max<SteamNetworkingMicroseconds>( k_nMillion, std::min( pIntf->m_usecRefreshInterval, usecLifetime / 2 ) );
            pIntf->m_usecRefreshAfter = info.m_usecNow + pIntf->m_usecRefreshInterval;]=]
  "        // Refresh succeeded -- parse" [=[        // The permissions are due, too.
        pIntf->m_nTURNPermissionRevision = 0;

        // Refresh succeeded -- parse]=])

# A TURN server that answers a refresh with an error has not refreshed: unmended, the error counts as success, there is no further
# refresh, and the allocation ends. A stale nonce (438: coturn's `stale-nonce`, usual in production) is replaced, and the request
# repeated at once; the same for CreatePermission. If the server has no such allocation (437: it was restarted), another one is
# made, from the beginning, with a new realm. After other errors the refresh is tried again as long as the allocation lasts: a
# second one cannot be made meanwhile. A relay that is found late is paired with the candidates that are known already.
gns_mend(${ice}
  "void CSteamNetworkingICESession::STUNRequestCallback_AllocateRelay(" [=[// Returns the code of the error that a TURN server answers, or 0 if it succeeded. A new nonce is kept.
static int ErrorOfTURNServer( const RecvSTUNPktInfo_t &info )
{
    const bool bIsError = ( info.m_pHeader->m_nMessageType & 0x0110 ) == 0x0110;
    const STUNAttribute *pCode = FindAttributeOfType( info.m_pAttributes, info.m_nAttributes, k_nSTUN_Attr_ErrorCode );
    if ( pCode == nullptr || pCode->m_nLength < 4 )
        return bIsError ? 500 : 0;
    const uint8 *pBytes = reinterpret_cast<const uint8 *>( pCode->m_pData );
    const int nCode = ( pBytes[2] & 7 ) * 100 + pBytes[3];
    if ( nCode != 438 )
        return nCode;
    const STUNAttribute *pNonce = FindAttributeOfType( info.m_pAttributes, info.m_nAttributes, k_nSTUN_Attr_Nonce );
    if ( pNonce == nullptr )
        return 500;
    const std::string strNonce( reinterpret_cast<const char *>( pNonce->m_pData ), pNonce->m_nLength );
    std::string &strOldNonce = info.m_pRequest->m_pInterface->m_strTURNNonce;
    if ( strNonce == strOldNonce )
        return 500;
    strOldNonce = strNonce;
    return nCode;
}

void CSteamNetworkingICESession::STUNRequestCallback_AllocateRelay(]=]
  "pIntf->NotifyLocalCandidateDiscovered( ICECandidateKind::Relayed, addrRelayed );"
  [=[m_bCandidatePairsNeedUpdate = true;
                pIntf->NotifyLocalCandidateDiscovered( ICECandidateKind::Relayed, addrRelayed );]=]
  "    if ( info.m_pHeader != nullptr )
    {
        // The permissions are due, too." [=[    const int nError = info.m_pHeader != nullptr ? ErrorOfTURNServer( info ) : 0;
    if ( nError != 0 && nError != 437 )
    {
        pIntf->m_usecRefreshAfter = info.m_usecNow + ( nError == 438 ? 0 : 5 * k_nMillion );
        return;
    }
    if ( info.m_pHeader != nullptr && nError == 0 )
    {
        // The permissions are due, too.]=]
  "pIntf->m_addrRelayed.Clear();" "pIntf->m_strTURNRealm.clear();\n    pIntf->m_addrRelayed.Clear();"
  "    // Advance to the revision that was current when we sent this request." [=[    if ( ErrorOfTURNServer( info ) == 438 )
        return;

    // Advance to the revision that was current when we sent this request.]=])

# A TURN server is asked for one permission at a time: unmended, for all at once, but for at most ten, and an address that the
# server does not relay to (403: a private one, often) makes it refuse the permissions for all others.
gns_mend(${ice}
  "for ( const CIPAddress &addr : vecPermitted )"
  "for ( const CIPAddress &addr : { vecPermitted[ pIntf->m_nTURNPermissionRevision ] } )"
  "pRequest->m_nTURNPermissionRevision = nSessionRevision;"
  "pRequest->m_nTURNPermissionRevision = pIntf->m_nTURNPermissionRevision + 1;"
  "pIntf->m_nTURNPermissionRevision = info.m_pRequest->m_nTURNPermissionRevision;"
  "pIntf->m_nTURNPermissionRevision = info.m_pRequest->m_nTURNPermissionRevision;\n    SetNextThinkTimeASAP();")

# A peer has at most 100 candidates: unmended, it can name as many as it likes, each of which is kept, paired with all of ours, and
# checked.
gns_mend(${ice}
  "		m_vecPeerCandidates.push_back( ICEPeerCandidate( candidate, pszFoundation ) );" [=[		if ( len( m_vecPeerCandidates ) >= k_nMaxPeerCandidates )
		{
			SpewVerboseGroup( GlobalConfig::LogLevel_P2PRendezvous.Get(), "ICE: Dropping peer candidate %s, there are enough.\n", CUtlNetAdrRender( attr.address ).String() );
			return k_EICECandidate_Invalid;
		}
		m_vecPeerCandidates.push_back( ICEPeerCandidate( candidate, pszFoundation ) );]=]
  "            ICECandidateBase newRemoteCandidate( ICECandidateKind::PeerReflexive, info.m_adrFrom );"
  [=[            if ( len( m_vecPeerCandidates ) >= k_nMaxPeerCandidates )
                return;
            ICECandidateBase newRemoteCandidate( ICECandidateKind::PeerReflexive, info.m_adrFrom );]=])
gns_mend(${ice_header}
  "    const uint32 k_nSTUN_MaxPacketSize_Bytes = 576;"
  "    const int k_nMaxPeerCandidates = 100;\n    const uint32 k_nSTUN_MaxPacketSize_Bytes = 576;")

# STUN messages that claim to be from the peer must be signed with the password that only the peer knows, and requests must name the
# user: unmended, a signature is checked if there is one, so anyone who can reach our port moves the connection to another
# address with one request. Answers of TURN and STUN servers may be unsigned.
gns_mend(${ice}
  "// Parse STUN attributes and verify message integrity/fingerprint." [=[static bool IsSigned( const CUtlVector< STUNAttribute > &vecAttrs )
{
    return FindAttributeOfType( vecAttrs.Base(), vecAttrs.Count(), k_nSTUN_Attr_MessageIntegrity ) != nullptr
        || FindAttributeOfType( vecAttrs.Base(), vecAttrs.Count(), k_nSTUN_Attr_MessageIntegrity_SHA256 ) != nullptr;
}

// Parse STUN attributes and verify message integrity/fingerprint.]=]
  "    const STUNAttribute *pUsernameAttr = " [=[    if ( !IsSigned( vecAttrs ) || FindAttributeOfType( vecAttrs.Base(), vecAttrs.Count(), k_nSTUN_Attr_UserName ) == nullptr )
    {
        SpewVerboseGroup( nLogLevel, "ICE: Dropping unsigned binding request from %s.\n", CUtlNetAdrRender( info.m_adrFrom ).String() );
        return;
    }

    const STUNAttribute *pUsernameAttr = ]=]
  "    if ( header.m_nMessageType == k_nSTUN_BindingResponse )
        ++TEST_ICE_ctr_binding_resp_recv;" [=[    if ( m_nMessageType == k_nSTUN_BindingRequest && !m_strPassword.empty()
        && ( header.m_nMessageType != k_nSTUN_BindingResponse || !IsSigned( vecAttributes ) ) )
    {
        SpewVerboseGroup( GlobalConfig::LogLevel_P2PRendezvous.Get(), "ICE: Dropping unsigned answer of a peer.\n" );
        return;
    }

    if ( header.m_nMessageType == k_nSTUN_BindingResponse )
        ++TEST_ICE_ctr_binding_resp_recv;]=])

# The password has 150 random bits: unmended, 30, so that whoever sees one signed request finds the password in seconds. The peer
# takes any length.
gns_mend(${p2p_ice}
  "std::string sPwdFragLocal = Base64EncodeLower30Bits( nPwdFrag );" [=[std::string sPwdFragLocal = Base64EncodeLower30Bits( nPwdFrag );
	for ( int i = 0 ; i < 4 ; ++i )
	{
		CCrypto::GenerateRandomBlock( &nPwdFrag, sizeof(nPwdFrag) );
		sPwdFragLocal += Base64EncodeLower30Bits( nPwdFrag );
	}]=])

# A keep-alive to a STUN server without an answer is over until the next one, 15 seconds later: unmended, it is sent to the next
# server at once, in a list that begins again at its end. If it cannot be sent (there is no route, for example), that is a loop
# without a pause; if the servers do not answer, the allocation at the TURN server is never refreshed again, because an interface
# has one request under way at a time. The request keeps the NAT's mapping whether there is an answer or not. A refresh that cannot
# be sent is tried again after a second: unmended, the relay is given up.
gns_mend(${ice}
  "    // Timed out -- try the next STUN server (cycling through the list).\n" ""
  "    const int nSTUNServerIdx = std::max( 0, index_of( m_vecSTUNServers, info.m_pRequest->m_remoteAddr ) );\n" ""
  "    const int nNextSTUNServerIdx = ( nSTUNServerIdx + 1 ) % len( m_vecSTUNServers );\n" ""
  "    pIntf->QueueBindRequest( m_vecSTUNServers[ nNextSTUNServerIdx ], &CSteamNetworkingICESession::STUNRequestCallback_ServerReflexiveKeepAlive, m_nEncoding );\n" ""
  "    // Refresh timed out -- the allocation is gone." [=[    if ( info.m_pHeader == nullptr && info.m_pRequest->m_usecLastSentTime == 0 )
    {
        pIntf->m_usecRefreshAfter = info.m_usecNow + k_nMillion;
        return;
    }

    // Refresh timed out -- the allocation is gone.]=])

# Pairs of candidates are checked without waiting for each other: unmended, all pairs with one of the peer's candidates wait until
# one has failed, which takes 5.3 seconds, so two peers that need a relay wait that long, and if a STUN server does not answer,
# the 10 seconds for finding a route are over before. There still is at most one new check every 50 ms. A pair that succeeds while a
# worse one is being nominated is nominated, too: unmended, it is never used, so some pairs of peers stay on a relay although they
# reach each other directly.
gns_mend(${ice}
  "			if ( bFound )\n				continue;\n" ""
  "if ( pOtherPair->m_bNominated )" "if ( pOtherPair->m_bNominated && !pPair->BIsPreferredRouteOver( *pOtherPair ) )"
  "                    pOtherPair->m_bNominated\n"
  "                    pOtherPair->m_bNominated && !pThisPair->BIsPreferredRouteOver( *pOtherPair )\n")

# A P2P connection that is closed says so, once, on its route, as UDP connections do: unmended, the peer hears of it only if it sends
# something within 5 seconds; otherwise it is told of a timeout, 20 seconds later.
gns_mend(clientlib/steamnetworkingsockets_p2p_ice.h
  "	virtual void TransportPopulateConnectionInfo(" [=[	virtual void TransportConnectionStateChanged( ESteamNetworkingConnectionState eOldState ) override;
	virtual void TransportPopulateConnectionInfo(]=])
gns_mend(${p2p_ice}
  "void CConnectionTransportP2PICE::TransportPopulateConnectionInfo(" [=[void CConnectionTransportP2PICE::TransportConnectionStateChanged( ESteamNetworkingConnectionState eOldState )
{
	CConnectionTransport::TransportConnectionStateChanged( eOldState );
	const bool bWasOpen = eOldState == k_ESteamNetworkingConnectionState_Connected || eOldState == k_ESteamNetworkingConnectionState_Linger;
	const bool bIsClosed = ConnectionState() == k_ESteamNetworkingConnectionState_FinWait
		|| ConnectionState() == k_ESteamNetworkingConnectionState_ProblemDetectedLocally;
	if ( bWasOpen && bIsClosed && BCanSendEndToEndData() )
		SendConnectionClosedOrNoConnection();
}

void CConnectionTransportP2PICE::TransportPopulateConnectionInfo(]=])

# A symmetric connect that finds a request of the peer accepts it like the program does: unmended, the keys are not exchanged, and
# both ends fail with "Crypto handshake missing cert or session data".
gns_mend(${p2p}
  "pMatchingConnection->AcceptConnection( SteamNetworkingSockets_GetLocalTimestamp() )"
  "pMatchingConnection->APIAcceptConnection()")
