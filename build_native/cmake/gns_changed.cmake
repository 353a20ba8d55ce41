# A copy of one of GNS's files that lets a test decide what each packet contains: for tests/core/changed_peer.cpp, which
# defines ChangedPayload. It is not a part of any library.
set(GNS_MEND_FROM ${GNS_MENDED})
set(GNS_MEND_TO ${CMAKE_CURRENT_BINARY_DIR}/gns_changed)
set(gns_mended_files "")
set(payload "return cbPlainText;")
gns_mend(clientlib/steamnetworkingsockets_snp.cpp
  "#include \"crypto.h\"" "#include \"crypto.h\"\nint ChangedPayload( unsigned char *pPayload, int cbSize, int cbCapacity );"
  "${payload}" "return ChangedPayload( helper.payload, cbPlainText, helper.m_cbMaxPlaintextPayload );")
set(GNS_CHANGED_SOURCE ${GNS_MEND_TO}/clientlib/steamnetworkingsockets_snp.cpp)
