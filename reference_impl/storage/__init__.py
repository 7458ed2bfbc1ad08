"""An archive: it keeps instances octet for octet, and gives them back by C-GET, C-MOVE and DICOMweb."""
